"""Networks in plain NumPy: no files, no config, no printing, and no scheme.

    arrays of weights -> network (layers, convolution, normalization) -> logits -> losses
                                  parameters <- optimizers <- gradients <- network.backward

A network is a list of layers: `layers` has dense ones and skip connections, `convolution` those of images,
`normalization` Batch and Layer Normalization; `architecture` makes the list from a text. `network` holds M
networks of one shape and does both passes. `activations`, `losses`, `optimizers` and `schedules` are
registries of functions, to which a reader may add one. `streams` gives the named random numbers that the
other folders draw weights and batches from. How weights are drawn is the subject of `initlab.init`, which
builds on this folder.
"""
