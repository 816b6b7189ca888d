"""Input preparation: bytes of images -> floats for a network.

To add a preparation, write a function `f(images, *, arguments) -> prepare` under `@INPUTS.register()`. It is
given all training images, and returns a function of images and a dtype. A config names it like a scheme:
`whitened(components=50)`.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from initlab.data.datasets import Dataset
from initlab.errors import UsageError
from initlab.nn.arrays import FloatArray
from initlab.registry import Registry

Images = npt.NDArray[np.uint8]
Prepare = Callable[[Images, str], FloatArray]
Fit = Callable[..., Prepare]

INPUTS: Registry[Fit] = Registry("input preparation")
_CHUNK = 10_000  # images in float64 at a time: 63 MB for MNIST


@INPUTS.register()
def unit(_images: Images) -> Prepare:
    """Pixels divided by 255, from 0 to 1, as in Saito's book.

    >>> unit(np.array([[0, 255]], np.uint8))(np.array([[0, 255]], np.uint8), "float32").tolist()
    [[0.0, 1.0]]
    """
    return lambda images, dtype: np.divide(images, 255, dtype=dtype)


@INPUTS.register()
def raw(_images: Images) -> Prepare:
    """Pixels as they are, from 0 to 255.

    >>> raw(np.array([[0, 255]], np.uint8))(np.array([[0, 255]], np.uint8), "float32").tolist()
    [[0.0, 255.0]]
    """
    return lambda images, dtype: images.astype(dtype)


@INPUTS.register()
def standardized(images: Images) -> Prepare:
    """`(x - mean) / std`, with mean and standard deviation of all pixels of all training images.

    >>> images = np.array([[0, 100], [100, 200]], np.uint8)
    >>> standardized(images)(images, "float64").round(3).tolist()
    [[-1.414, 0.0], [0.0, 1.414]]
    """
    mean, std = float(images.mean(dtype=np.float64)), float(images.std(dtype=np.float64))
    return lambda shown, dtype: (
        (shown.astype(dtype) - np.dtype(dtype).type(mean)) / np.dtype(dtype).type(std or 1)
    )


@INPUTS.register()
def per_pixel(images: Images) -> Prepare:
    """`(x - mean) / std` pixel by pixel, over all training images; 0 for pixels that never change.

    >>> images = np.array([[0, 7], [100, 7]], np.uint8)
    >>> per_pixel(images)(images, "float64").tolist()
    [[-1.0, 0.0], [1.0, 0.0]]
    """
    mean, std = images.mean(axis=0, dtype=np.float64), images.std(axis=0, dtype=np.float64)
    scale = np.divide(1, std, out=np.zeros_like(std), where=std > 0)
    return lambda shown, dtype: (shown.astype(dtype) - mean.astype(dtype)) * scale.astype(dtype)


@INPUTS.register()
def whitened(images: Images, *, components: int = 50) -> Prepare:
    """The leading principal components, each of mean 0 and variance 1 over the training images.

    `x -> (x - mean) V diag(lambda)^(-1/2)`, with V the eigenvectors of the largest eigenvalues lambda of the
    covariance; of each, the entry that is largest in absolute value is positive.

    Args:
        images: all training images.
        components: from 1 to the number of directions in which the images vary.

    Raises:
        UsageError: for a number out of that range.

    >>> images = np.random.default_rng(0).integers(0, 256, (500, 4), dtype=np.uint8)
    >>> whitened(images, components=2)(images, "float64").std(axis=0).round(6).tolist()
    [1.0, 1.0]
    """
    mean = images.mean(axis=0, dtype=np.float64)
    values, vectors = np.linalg.eigh(_covariance(images, mean))
    directions = int((values > 1e-6 * values[-1]).sum())
    if not 1 <= components <= directions:
        raise UsageError(f"components must be from 1 to {directions}, not {components}")
    leading = vectors[:, ::-1][:, :components]
    leading = leading * np.sign(leading[np.abs(leading).argmax(axis=0), np.arange(components)])
    projection = leading / np.sqrt(values[::-1][:components])
    return lambda shown, dtype: (shown.astype(dtype) - mean.astype(dtype)) @ projection.astype(dtype)


def _covariance(images: Images, mean: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    products = np.zeros((len(mean), len(mean)))
    for start in range(0, len(images), _CHUNK):
        centred = images[start : start + _CHUNK] - mean
        products += centred.T @ centred
    return products / len(images)


def prepare_inputs(text: str, dataset: Dataset) -> Prepare:
    """The function that prepares images, fitted to a dataset's training images.

    Args:
        text: a name in `INPUTS`, perhaps with arguments.
        dataset: from `open_dataset`.

    >>> from initlab.data.datasets import open_dataset
    >>> mnist = open_dataset("mnist")
    >>> prepare_inputs("unit", mnist)(mnist.train_images[:2], "float32").max().item()
    1.0
    """
    return _fitted(INPUTS.canonical(text), _Key(dataset))


class _Key:
    """A dataset as a cache key: equal to another with the same numbers."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.name = (dataset.sha256, len(dataset.train_images))

    def __hash__(self) -> int:
        return hash(self.name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self.name == other.name


@lru_cache(maxsize=8)
def _fitted(text: str, key: _Key) -> Prepare:
    name, arguments = INPUTS.parse(text)
    return INPUTS[name](key.dataset.train_images, **arguments)
