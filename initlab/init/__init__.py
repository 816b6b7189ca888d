"""Initial weights: schemes, what they draw, and networks drawn from them.

    text -> scheme -> schemes (rng, shape -> W) -> per_layer (a scheme for each layer, one for the biases)
                      -> networks (sizes, schemes, seeds -> Ensemble) -> data_dependent, pretraining

`libraries` translates the names of PyTorch, Keras, JAX and Lasagne into schemes. This file imports every
module of the folder, so the import of any one of them fills the registries of schemes and library names.
"""

from initlab.init import (
    critical,
    data_dependent,
    libraries,
    networks,
    own_activations,
    own_schemes,
    per_layer,
    pretraining,
    residual,
    scheme,
    schemes,
    structured,
    width,
)

__all__ = [
    "critical",
    "data_dependent",
    "libraries",
    "networks",
    "own_activations",
    "own_schemes",
    "per_layer",
    "pretraining",
    "residual",
    "scheme",
    "schemes",
    "structured",
    "width",
]
