"""Jacobians of networks: inputs -> how far the layers stretch each direction around them."""

import numpy as np
import numpy.typing as npt

from initlab.errors import require
from initlab.nn.arrays import FloatArray
from initlab.nn.layers import Dense, Nonlinearity
from initlab.nn.network import Ensemble


def jacobian_singular_values(ensemble: Ensemble, inputs: FloatArray) -> npt.NDArray[np.float64]:
    """Singular values of the last hidden activations' Jacobian with respect to the inputs.

    For one input `J = W_0 diag(phi'(z_0)) W_1 diag(phi'(z_1)) ...`, with rows for inputs and columns for
    units. Each singular value is the factor by which J stretches one direction around the input. If all of
    them are near 1, the network has dynamical isometry (Pennington et al. 2017, Resurrecting the sigmoid in
    deep learning through dynamical isometry).

    Args:
        ensemble: M networks.
        inputs: (B, n_0), the points around which the Jacobian is taken.

    Returns:
        (M, B, min(n_0, n_L)), from the largest down.

    Raises:
        UsageError: for networks with other layers than dense ones.

    >>> ensemble = Ensemble([2 * np.eye(3), np.ones((3, 1))], activation="identity", dtype="float64")
    >>> jacobian_singular_values(ensemble, np.ones((1, 3))).tolist()
    [[[2.0, 2.0, 2.0]]]
    """
    plain = all(isinstance(layer, Dense | Nonlinearity) for layer in ensemble.layers)
    require(plain, "Jacobians are computed of perceptrons without normalization and skip connections")
    with np.errstate(all="ignore"):
        ensemble.forward(inputs)
        jacobian = np.ones((1, 1, 1, 1))
        for layer, (z, a) in enumerate(zip(ensemble.pre_activations, ensemble.activations, strict=False)):
            W = ensemble.weights[layer].astype(np.float64)[:, None]
            slopes = np.asarray(ensemble.activation.derivative(z, a), np.float64)
            # The first layer needs no product, and its W serves all samples.
            jacobian = (W if layer == 0 else jacobian @ W) * slopes[:, :, None, :]
    return np.asarray(np.linalg.svd(jacobian, compute_uv=False), np.float64)
