"""The mathematics: a multilayer perceptron in plain NumPy. No files, no config, no printing.

streams -> initializers -> network (activations) -> losses -> network.backward -> optimizers
"""
