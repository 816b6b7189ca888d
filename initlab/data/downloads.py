"""Datasets fetched on request: mirror -> bounded download -> checked digest -> renamed into place.

Opening a dataset calls only `fetched_folder`, which never uses the network. Files that someone puts into the
folder by hand serve as well.
"""

import hashlib
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

from initlab.data.cache import cache_folder, sha256
from initlab.errors import DataError, StorageError, UsageError, unknown_name
from initlab.files import write_shared

LARGEST = 64 << 20  # twice the largest file of `SOURCES`: a wrong answer cannot fill the memory
SECONDS = 30  # without an answer; a slow but steady download takes as long as it needs
_CHUNK = 1 << 18

Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class Source:
    """The mirrors and digests of a dataset.

    Attributes:
        mirrors: addresses, tried in this order; a file's name is appended to each.
        sha256: the digest of each file, as its authors published it.
    """

    mirrors: tuple[str, ...]
    sha256: Mapping[str, str]


SOURCES: dict[str, Source] = {
    "fashion_mnist": Source(
        (
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
            "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        ),
        {
            "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        },
    ),
    "kmnist": Source(
        ("https://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
        {
            "train-images-idx3-ubyte.gz": "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
            "train-labels-idx1-ubyte.gz": "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
            "t10k-images-idx3-ubyte.gz": "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
            "t10k-labels-idx1-ubyte.gz": "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
        },
    ),
}


def download_folder(name: str) -> Path:
    """The folder for the files of a dataset, put there by `fetch` or by hand."""
    return cache_folder() / "datasets" / name


def missing_files(name: str) -> list[str]:
    """The files of a dataset that its folder lacks, gzipped or unpacked."""
    folder = download_folder(name)
    return [
        file
        for file in SOURCES[name].sha256
        if not (folder / file).is_file() and not (folder / file.removesuffix(".gz")).is_file()
    ]


def fetched_folder(name: str) -> Path:
    """The folder of a fetched dataset.

    Raises:
        DataError: when files are missing; the message names them and says what to do.
    """
    missing = missing_files(name)
    if missing:
        raise DataError(
            f"{name} is not fetched yet: run `initlab fetch {name}`, "
            f"or put {', '.join(missing)} into {download_folder(name)}"
        )
    return download_folder(name)


def fetch(name: str, progress: Progress = lambda _file, _received, _total: None) -> list[str]:
    """Download the files that are missing, or differ from the published ones.

    Args:
        name: a key of `SOURCES`.
        progress: called with a file's name, the bytes received, from 0 on, and the size of the file, or None
            where the mirror does not announce it.

    Returns:
        The names of the downloaded files.

    Raises:
        UsageError: for an unknown name.
        DataError: when no mirror has a file as it was published; an older file is kept.
        StorageError: when the folder cannot be written.
    """
    if name not in SOURCES:
        raise UsageError(unknown_name("dataset to fetch", name, SOURCES))
    wanted = [file for file, digest in SOURCES[name].sha256.items() if not _is_intact(name, file, digest)]
    for file in wanted:
        _write(download_folder(name) / file, _from_a_mirror(name, file, progress))
    return wanted


def _is_intact(name: str, file: str, digest: str) -> bool:
    path = download_folder(name) / file
    try:
        return path.is_file() and sha256(path) == digest
    except OSError as error:
        raise StorageError(f"{path}: cannot read: {error.strerror or error}") from error


def _from_a_mirror(name: str, file: str, progress: Progress) -> bytes:
    """The content of a file from the first mirror that has the published one."""
    source, refused = SOURCES[name], []
    for mirror in source.mirrors:
        try:
            content = _download(f"{mirror}{file}", lambda *sizes: progress(file, *sizes))
            _check_digest(content, source.sha256[file])
        except (OSError, HTTPException, DataError) as error:
            refused.append(f"{mirror}{file}: {' '.join(str(error).split()) or type(error).__name__}")
        else:
            return content
    missing = ", ".join(missing_files(name) or [file])
    raise DataError(
        f"cannot fetch {name}: {'; '.join(refused)}. "
        f"You can put the files there by hand: {missing}, into {download_folder(name)}"
    )


def _download(address: str, progress: Callable[[int, int | None], None]) -> bytes:
    """The content at an address: at most `LARGEST` bytes, and as many as were announced."""
    with urllib.request.urlopen(address, timeout=SECONDS) as response:
        total: int | None = response.length
        if total is not None and total > LARGEST:
            raise DataError(f"has {total:,} bytes, more than {LARGEST:,}")
        content = _read_bounded(response, lambda received: progress(received, total))
    if total is not None and len(content) != total:
        raise DataError(f"truncated: {len(content):,} of {total:,} bytes")
    return content


def _read_bounded(response: Any, progress: Callable[[int], None]) -> bytes:
    content = bytearray()
    progress(0)
    while chunk := response.read(_CHUNK):
        content += chunk
        if len(content) > LARGEST:
            raise DataError(f"has more than {LARGEST:,} bytes")
        progress(len(content))
    return bytes(content)


def _check_digest(content: bytes, expected: str) -> None:
    digest = hashlib.sha256(content).hexdigest()
    if digest != expected:
        raise DataError(f"damaged, or another file: its SHA-256 is {digest}, not {expected}")


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_shared(path, content)
    except OSError as error:
        raise StorageError(f"{path}: cannot write: {error.strerror or error}") from error
