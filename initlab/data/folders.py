"""A folder of four IDX files named as MNIST's -> checked, memory-mapped -> Dataset."""

import hashlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from initlab.data.cache import sha256, unpack
from initlab.data.idx import map_idx
from initlab.errors import DataError

PARTS = {
    "train_images": ("train-images-idx3-ubyte", 3),
    "train_labels": ("train-labels-idx1-ubyte", 1),
    "test_images": ("t10k-images-idx3-ubyte", 3),
    "test_labels": ("t10k-labels-idx1-ubyte", 1),
}


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Images and labels as bytes, read-only; memory-mapped where they come from files.

    Attributes:
        train_images, test_images: (N, pixels), from 0 to 255.
        train_labels, test_labels: (N,), from 0 to classes - 1.
        sha256: the digest of all its numbers, by which a run knows its data.
    """

    train_images: npt.NDArray[np.uint8]
    train_labels: npt.NDArray[np.uint8]
    test_images: npt.NDArray[np.uint8]
    test_labels: npt.NDArray[np.uint8]
    sha256: str

    def __repr__(self) -> str:
        images = f"{len(self.train_images)} training and {len(self.test_images)} test images"
        return f"<Dataset: {images} of {self.pixels} pixels, {self.classes} classes>"

    @property
    def pixels(self) -> int:
        """The numbers in an image."""
        return int(self.train_images.shape[1])

    @property
    def classes(self) -> int:
        """The number of classes."""
        return int(max(self.train_labels.max(), self.test_labels.max())) + 1


def read_folder(folder: Path) -> Dataset:
    """The dataset of a folder of four IDX files, gzipped or not.

    Raises:
        DataError: for a missing, damaged or truncated file; the message names it.
        StorageError: when a gzipped file cannot be unpacked into the cache.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder of IDX files")
    opened = {part: _open(folder, stem, dimensions) for part, (stem, dimensions) in PARTS.items()}
    arrays = {part: array.reshape(len(array), -1) for part, (array, _) in opened.items() if "images" in part}
    labels = {part: array for part, (array, _) in opened.items() if "labels" in part}
    dataset = Dataset(**arrays, **labels, sha256=joint_sha256(digest for _, digest in opened.values()))
    _check(dataset, folder)
    return dataset


Stamp = tuple[str, int, int, int]


def stamps(folder: Path) -> tuple[Stamp, ...]:
    """Name, inode, size and time of change of each file that `read_folder` may read; they tell a change."""
    states = []
    for stem, _ in PARTS.values():
        for path in (folder / stem, folder / f"{stem}.gz"):
            with suppress(OSError):
                state = path.stat()
                states.append((path.name, state.st_ino, state.st_size, state.st_mtime_ns))
    return tuple(states)


def joint_sha256(digests: Iterable[str]) -> str:
    """The digest of a dataset, from the digests of its four unpacked files in the order of `PARTS`."""
    return hashlib.sha256("".join(digests).encode()).hexdigest()


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
