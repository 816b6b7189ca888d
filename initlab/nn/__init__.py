"""A multilayer perceptron in plain NumPy: no files, no config, no printing, and no scheme.

    arrays of weights -> network (activations, normalization) -> logits -> losses
                                  parameters <- optimizers <- gradients <- network.backward

`network` holds M networks of one shape and does both passes; `activations`, `losses`, `optimizers` and
`schedules` are registries of functions, to which a reader may add one; `normalization` is Batch
Normalization. `streams` gives the named random numbers that the other folders draw weights and batches from.
How weights are drawn is the subject of `initlab.init`, which builds on this folder.
"""
