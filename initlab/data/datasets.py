"""Datasets by name or by folder: name | folder -> four IDX files -> Dataset.

To add a named one, write a function that returns the folder of its files, under `DATASETS`.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import numpy as np
import numpy.typing as npt

from initlab.data.cache import sha256, unpack
from initlab.data.idx import map_idx
from initlab.errors import DataError, UsageError, unknown_name

_PARTS = {
    "train_images": ("train-images-idx3-ubyte", 3),
    "train_labels": ("train-labels-idx1-ubyte", 1),
    "test_images": ("t10k-images-idx3-ubyte", 3),
    "test_labels": ("t10k-labels-idx1-ubyte", 1),
}

# SHA-256 of the shipped MNIST's packed files; unpacked, they are those of the official distribution.
_MNIST_SHA256 = {
    "t10k-images-idx3-ubyte.gz": "1a1a05eab793c14bb050b398624a11b0ffd1a2953baed553b1b9bd079e2a20be",
    "t10k-labels-idx1-ubyte.gz": "b91679a0acfe4ba0e50a2437a903084cba1f5f92592b016a25a7dfd00455798b",
    "train-images-idx3-ubyte.gz": "0b367032e93c5d0cea0925647cfdb18614af8ee15f83e6f2fc2ad904a6835971",
    "train-labels-idx1-ubyte.gz": "1787548bbe0bff1ec2ecdc0ef292b02df999e2d1a6002d27500982c652b17203",
}


@dataclass(frozen=True)
class Dataset:
    """Images and labels as bytes, memory-mapped and read-only.

    Attributes:
        train_images, test_images: (N, pixels), from 0 to 255.
        train_labels, test_labels: (N,), from 0 to classes - 1.
        sha256: of all its numbers: two datasets are the same if and only if these are.
    """

    train_images: npt.NDArray[np.uint8]
    train_labels: npt.NDArray[np.uint8]
    test_images: npt.NDArray[np.uint8]
    test_labels: npt.NDArray[np.uint8]
    sha256: str

    @property
    def pixels(self) -> int:
        """How many numbers an image has."""
        return int(self.train_images.shape[1])

    @property
    def classes(self) -> int:
        """How many classes the labels tell apart."""
        return int(max(self.train_labels.max(), self.test_labels.max())) + 1


def mnist() -> Path:
    """MNIST: 60,000 and 10,000 handwritten digits of 28 x 28 pixels, shipped with initlab.

    Source: LeCun, Cortes and Burges; Creative Commons Attribution-Share Alike 3.0.
    """
    folder = Path(str(files("initlab.data") / "mnist"))
    for name, expected in _MNIST_SHA256.items():
        if not (folder / name).is_file() or sha256(folder / name) != expected:
            raise DataError(f"{folder / name}: missing or damaged; install initlab again")
    return folder


DATASETS: dict[str, Callable[[], Path]] = {"mnist": mnist}


def first_images(dataset: Dataset, count: int | None) -> Dataset:
    """The dataset with the first so many training images alone; all for None.

    Raises:
        UsageError: when it has fewer.
    """
    if count is None:
        return dataset
    if count > len(dataset.train_images):
        raise UsageError(
            f"train_size is {count:,}, but there are {len(dataset.train_images):,} training images"
        )
    return replace(
        dataset, train_images=dataset.train_images[:count], train_labels=dataset.train_labels[:count]
    )


@lru_cache(maxsize=4)
def open_dataset(name: str = "mnist", path: str | Path | None = None) -> Dataset:
    """Open a dataset by its name, or any folder of four IDX files named as MNIST's, gzipped or not.

    Args:
        name: one of `DATASETS`; not looked at when a path is given.
        path: a folder.

    Raises:
        UsageError: for an unknown name.
        DataError: for a missing, damaged or truncated file; the message names it.
        StorageError: when a gzipped file cannot be unpacked into the cache.

    >>> open_dataset("mnist").train_images.shape
    (60000, 784)
    """
    if path is None and name not in DATASETS:
        raise UsageError(unknown_name("dataset", name, DATASETS))
    folder = DATASETS[name]() if path is None else Path(path)
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder of IDX files")
    opened = {part: _open(folder, stem, dimensions) for part, (stem, dimensions) in _PARTS.items()}
    digest = hashlib.sha256("".join(digest for _, digest in opened.values()).encode())
    arrays = {part: array.reshape(len(array), -1) for part, (array, _) in opened.items() if "images" in part}
    labels = {part: array for part, (array, _) in opened.items() if "labels" in part}
    dataset = Dataset(**arrays, **labels, sha256=digest.hexdigest())
    _check(dataset, folder)
    return dataset


def _open(folder: Path, stem: str, dimensions: int) -> tuple[npt.NDArray[np.uint8], str]:
    plain, packed = folder / stem, folder / f"{stem}.gz"
    try:
        if plain.is_file():
            return map_idx(plain, dimensions), sha256(plain)
        if packed.is_file():
            unpacked, digest = unpack(packed)
            return _map_unpacked(unpacked, packed, dimensions), digest
    except OSError as error:
        raise DataError(f"{error.filename or folder}: {error.strerror or error}") from error
    raise DataError(f"{folder}: has neither {plain.name} nor {packed.name}")


def _map_unpacked(unpacked: Path, packed: Path, dimensions: int) -> npt.NDArray[np.uint8]:
    try:
        return map_idx(unpacked, dimensions)
    except DataError as error:
        raise DataError(str(error).replace(str(unpacked), str(packed))) from error


def _check(dataset: Dataset, folder: Path) -> None:
    """Raise a DataError unless the parts belong together."""
    for part in ("train", "test"):
        images, labels = getattr(dataset, f"{part}_images"), getattr(dataset, f"{part}_labels")
        if len(images) != len(labels):
            raise DataError(f"{folder}: {len(images):,} {part} images but {len(labels):,} {part} labels")
    if dataset.train_images.shape[1] != dataset.test_images.shape[1]:
        raise DataError(f"{folder}: training and test images differ in size")
