"""Datasets of random numbers: arguments, seed -> features, labels -> bytes -> Dataset.

Every feature x has mean 0 and variance 1. A dataset holds bytes, so x is stored as
clip(round(128 + 32 x), 0, 255): in steps of 1/32, from -4 to just below 4. The same arguments give the same
numbers.
"""

import hashlib
import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from initlab.data.folders import Dataset, joint_sha256
from initlab.data.idx import idx_header
from initlab.errors import UsageError
from initlab.init.networks import initialize
from initlab.nn.arrays import FloatArray
from initlab.nn.network import Ensemble

ByteArray = npt.NDArray[np.uint8]

LIMITS = {
    "features": (1, 10_000),
    "classes": (2, 256),
    "spread": (0, 1000),
    "train": (1, 1_000_000),
    "test": (1, 1_000_000),
    "hidden": (1, 10_000),
    "depth": (0, 100),
    "seed": (0, 2**32 - 1),
}
MOST_NUMBERS = 100_000_000

# Keeps these streams different from those of the networks: a network with a teacher's shape and seed must not
# be its teacher.
_STREAM = 0xDA7A


def check_limits(arguments: Mapping[str, float]) -> None:
    """Raise a UsageError for an argument beyond its `LIMITS`.

    >>> check_limits({"classes": 300})
    Traceback (most recent call last):
    initlab.errors.UsageError: classes must be from 2 to 256, not 300
    """
    for name, value in arguments.items():
        low, high = LIMITS[name]
        if not low <= value <= high:
            raise UsageError(f"{name} must be from {low:,} to {high:,}, not {float(value):,.12g}")


def clusters(
    *,
    features: int = 20,
    classes: int = 10,
    spread: float = 0.5,
    train: int = 10_000,
    test: int = 2000,
    seed: int = 0,
) -> Dataset:
    """Gaussian clusters: a random centre for each class, and noise around it.

    `x = (c_y + spread * e) / sqrt(1 + spread^2)`, where c_y, the centre of class y, and e are drawn from
    N(0, 1) for each feature. The classes are equally frequent, to within one sample.

    Args:
        features, classes: the numbers in a sample, and the number of clusters.
        spread: the standard deviation of the noise, relative to that of the centres.
        train, test: the number of samples.
        seed: of all random numbers.

    Raises:
        UsageError: for fewer training samples than classes, or more than 100,000,000 numbers in all.

    >>> clusters(classes=3, train=300).train_images.shape
    (300, 20)
    """
    _check_size(features, classes, train, test)
    rng = np.random.default_rng([_STREAM, seed])
    centres = rng.standard_normal((classes, features), np.float32)
    labels = [rng.permutation(np.arange(count) % classes) for count in (train, test)]
    scale = np.float32(math.sqrt(1 + spread**2))
    images = []
    for y in labels:
        noise = rng.standard_normal((len(y), features), np.float32)
        images.append(_bytes((centres[y] + np.float32(spread) * noise) / scale))
    return _dataset(images, [y.astype(np.uint8) for y in labels])


def teacher(
    *,
    features: int = 20,
    classes: int = 10,
    hidden: int = 50,
    depth: int = 2,
    train: int = 10_000,
    test: int = 2000,
    seed: int = 0,
) -> Dataset:
    """Inputs from N(0, 1) with the labels of a random network, which a network can learn exactly.

    The teacher is a ReLU network with He's weights. Its last layer is scaled and shifted so that every logit
    has mean 0 and variance 1 over the training set, which makes the classes similar in size. The teacher's
    inputs are the stored ones, (byte - 128) / 32.

    Args:
        features, classes: the numbers in a sample, and the number of labels.
        hidden, depth: the units of each hidden layer of the teacher, and the number of these layers.
        train, test: the number of samples.
        seed: of inputs and teacher.

    Raises:
        UsageError: for fewer training samples than classes, or more than 100,000,000 numbers in all.

    >>> teacher(classes=3, train=300).train_images.shape
    (300, 20)
    """
    _check_size(features, classes, train, test)
    rng = np.random.default_rng([_STREAM, seed])
    sizes = [features, *[hidden] * depth, classes]
    network = initialize(sizes, ["he"], int(rng.integers(2**32)), dtype="float64")
    images = [_bytes(rng.standard_normal((count, features), np.float32)) for count in (train, test)]
    logits = [_logits(network, x) for x in images]
    mean, std = logits[0].mean(axis=0), logits[0].std(axis=0)
    labels = [((z - mean) / np.where(std > 0, std, 1)).argmax(axis=1).astype(np.uint8) for z in logits]
    return _dataset(images, labels)


def _check_size(features: int, classes: int, train: int, test: int) -> None:
    if train < classes:
        raise UsageError(f"{train:,} training samples are too few for {classes} classes")
    if features * (train + test) > MOST_NUMBERS:
        total = f"{features:,} features of {train + test:,} samples"
        raise UsageError(f"{total} are more than the {MOST_NUMBERS:,} numbers that a dataset may have")


def _bytes(features: FloatArray) -> ByteArray:
    """To the nearest step of 1/32, from -4 to just below 4.

    >>> _bytes(np.array([-9.0, -1.0, 0.0, 0.04, 9.0])).tolist()
    [0, 96, 128, 129, 255]
    """
    return np.clip(np.rint(128 + 32 * features), 0, 255).astype(np.uint8)


def _logits(network: Ensemble, images: ByteArray) -> FloatArray:
    """(N, classes); a thousand samples at a time, so that wide layers need little memory."""
    parts = np.array_split(images, max(1, len(images) // 1000))
    return np.concatenate([network.forward((part.astype(np.float64) - 128) / 32)[0].copy() for part in parts])


def _dataset(images: list[ByteArray], labels: list[ByteArray]) -> Dataset:
    """A dataset with the digest that it would have as IDX files with images of one row."""
    digests = []
    for x, y in zip(images, labels, strict=True):
        digests += [_sha256(x.reshape(len(x), 1, -1)), _sha256(y)]
        x.setflags(write=False)
        y.setflags(write=False)
    return Dataset(
        train_images=images[0],
        train_labels=labels[0],
        test_images=images[1],
        test_labels=labels[1],
        sha256=joint_sha256(digests),
    )


def _sha256(array: ByteArray) -> str:
    digest = hashlib.sha256(idx_header(array.shape))
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
