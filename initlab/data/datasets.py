"""Datasets by name or by folder: `mnist`, `clusters(classes=4)` or a folder -> Dataset.

To add a dataset, write a function that returns it under `@DATASETS.register()`; its keyword-only arguments
can be given in the name.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from initlab.data.cache import sha256
from initlab.data.downloads import SOURCES, fetched_folder, missing_files
from initlab.data.folders import Dataset, Stamp, read_folder, stamps
from initlab.data.synthetic import check_limits, clusters, teacher
from initlab.errors import DataError, UsageError
from initlab.registry import Registry, parameters_of, written_call

__all__ = [
    "DATASETS",
    "Dataset",
    "canonical_name",
    "first_images",
    "is_dataset_name",
    "open_dataset",
    "whereabouts",
]

# SHA-256 of the shipped MNIST's packed files; unpacked, they are those of the official distribution.
_MNIST_SHA256 = {
    "t10k-images-idx3-ubyte.gz": "1a1a05eab793c14bb050b398624a11b0ffd1a2953baed553b1b9bd079e2a20be",
    "t10k-labels-idx1-ubyte.gz": "b91679a0acfe4ba0e50a2437a903084cba1f5f92592b016a25a7dfd00455798b",
    "train-images-idx3-ubyte.gz": "0b367032e93c5d0cea0925647cfdb18614af8ee15f83e6f2fc2ad904a6835971",
    "train-labels-idx1-ubyte.gz": "1787548bbe0bff1ec2ecdc0ef292b02df999e2d1a6002d27500982c652b17203",
}


DATASETS: Registry[Callable[..., Dataset]] = Registry("dataset")


@DATASETS.register()
def mnist() -> Dataset:
    """MNIST: 60,000 and 10,000 handwritten digits of 28 x 28 pixels, shipped with initlab.

    Source: LeCun, Cortes and Burges; Creative Commons Attribution-Share Alike 3.0.
    """
    folder = Path(str(files("initlab.data") / "mnist"))
    for name, expected in _MNIST_SHA256.items():
        if not (folder / name).is_file() or sha256(folder / name) != expected:
            raise DataError(f"{folder / name}: missing or damaged; install initlab again")
    return read_folder(folder)


@DATASETS.register()
def fashion_mnist() -> Dataset:
    """Fashion-MNIST: 60,000 and 10,000 pictures of clothes of 28 x 28 pixels, in 10 classes.

    Source: Xiao, Rasul and Vollgraf 2017; MIT licence.
    """
    return read_folder(fetched_folder("fashion_mnist"))


@DATASETS.register()
def kmnist() -> Dataset:
    """Kuzushiji-MNIST: 60,000 and 10,000 cursive Japanese characters of 28 x 28 pixels, in 10 classes.

    Source: "KMNIST Dataset" (created by CODH), adapted from "Kuzushiji Dataset" (created by NIJL and others),
    doi:10.20676/00000341; Clanuwat et al. 2018; Creative Commons Attribution-Share Alike 4.0.
    """
    return read_folder(fetched_folder("kmnist"))


DATASETS.register()(clusters)
DATASETS.register()(teacher)


def open_dataset(name: str = "mnist", path: str | Path | None = None) -> Dataset:
    """Open a dataset by its name, or a folder of four IDX files named as MNIST's, gzipped or not.

    One that is open is not read again, unless the files of a folder have changed.

    Args:
        name: as "mnist", or with arguments, as "clusters(...)"; ignored when a path is given.
        path: a folder.

    Raises:
        UsageError: for an unknown name or argument, or a value out of range.
        DataError: for a missing, damaged or truncated file; the message names it.
        StorageError: when a gzipped file cannot be unpacked into the cache.

    >>> open_dataset("mnist").train_images.shape
    (60000, 784)
    >>> open_dataset("clusters(features=5, classes=3, train=300)").train_images.shape
    (300, 5)
    """
    return _opened(name, None) if path is None else _opened("", (Path(path), stamps(Path(path))))


@lru_cache(maxsize=4)
def _opened(name: str, folder: tuple[Path, tuple[Stamp, ...]] | None) -> Dataset:
    if folder is not None:
        return read_folder(folder[0])
    plain_name, arguments = _read_name(name)
    return DATASETS[plain_name](**arguments)


def first_images(dataset: Dataset, count: int | None) -> Dataset:
    """The dataset with only its first training images.

    Args:
        dataset: from `open_dataset`.
        count: how many training images; None for all.

    Raises:
        UsageError: when the dataset has fewer.
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


def is_dataset_name(text: str) -> bool:
    """Whether a text names a dataset, with or without arguments, rather than a folder.

    >>> is_dataset_name("mnist"), is_dataset_name("clusters(classes=4)"), is_dataset_name("./mnist")
    (True, True, False)
    """
    return text.partition("(")[0].strip() in DATASETS


def canonical_name(text: str) -> str:
    """A dataset's name with its arguments in order, each as briefly as it can be written.

    Raises:
        UsageError: for an unknown name or argument, or a value out of range.

    >>> canonical_name("clusters( spread=1.0, classes=4 )")
    'clusters(classes=4, spread=1)'
    """
    return written_call(*_read_name(text))


def whereabouts(name: str) -> str:
    """The state of a dataset, in a few words.

    >>> whereabouts("mnist"), whereabouts("teacher")
    ('shipped', 'made when opened')
    """
    plain_name, _ = _read_name(name)
    if plain_name in SOURCES:
        return "not fetched" if missing_files(plain_name) else "fetched"
    return "made when opened" if parameters_of(DATASETS[plain_name]) else "shipped"


def _read_name(text: str) -> tuple[str, dict[str, Any]]:
    name, arguments = DATASETS.parse(text)
    check_limits(arguments)
    return name, arguments
