"""Unpacked datasets in the user's cache: packed file -> part file -> renamed -> checked at every use.

The name of a cached file holds the SHA-256 of its packed source and its own. So any damage is noticed, and
the file is unpacked again. The folder is the system's usual one, or `INITLAB_CACHE`.
"""

import gzip
import hashlib
import os
import zlib
from pathlib import Path
from typing import BinaryIO

import platformdirs

from initlab.errors import DataError, StorageError
from initlab.files import open_part, unique_part

# Bounds the disk that a gzip bomb can fill; the largest known file of this family, EMNIST's, has 0.55 GB.
LARGEST = 2 << 30
_CHUNK = 1 << 20


def cache_folder() -> Path:
    """The folder of unpacked and fetched datasets; deleting it is always safe."""
    return Path(os.environ.get("INITLAB_CACHE") or platformdirs.user_cache_dir("initlab"))


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unpack(packed: Path) -> tuple[Path, str]:
    """The unpacked copy of a gzip file, and its SHA-256; an intact copy is used again.

    Raises:
        DataError: when the file is damaged or truncated, or holds more than 2 GiB.
        StorageError: when the cache cannot be written.
    """
    prefix = sha256(packed)[:16]
    try:
        for cached in cache_folder().glob(f"{prefix}-*.idx"):
            digest = cached.stem.removeprefix(f"{prefix}-")
            if sha256(cached) == digest:
                return cached, digest
        cache_folder().mkdir(parents=True, exist_ok=True)
        return _unpack_anew(packed, prefix)
    except OSError as error:
        raise StorageError(
            f"cannot unpack {packed.name} into {cache_folder()}: {error.strerror or error}; "
            "set INITLAB_CACHE to a folder that can be written"
        ) from error


def _unpack_anew(packed: Path, prefix: str) -> tuple[Path, str]:
    with open_part(unique_part(cache_folder())) as part:
        digest = _copy_unpacked(packed, part.file)
        final = cache_folder() / f"{prefix}-{digest}.idx"
        part.publish(final)
    return final, digest


def _copy_unpacked(packed: Path, target: BinaryIO) -> str:
    digest, size = hashlib.sha256(), 0
    with gzip.open(packed, "rb") as source:
        for chunk in iter(lambda: _read_packed(source, packed), b""):
            size += len(chunk)
            if size > LARGEST:
                raise DataError(f"{packed}: holds more than {LARGEST:,} bytes")
            digest.update(chunk)
            target.write(chunk)
    return digest.hexdigest()


def _read_packed(source: gzip.GzipFile, packed: Path) -> bytes:
    try:
        return source.read(_CHUNK)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{packed}: damaged or truncated gzip file: {error}") from error
