"""Unpacked datasets in the user's cache: packed file -> unpacked beside -> renamed -> checked at every use.

A cached file carries the SHA-256 of its packed source and its own in its name, so whatever befell it is
noticed, and mended from the source. The folder is the system's usual one, or `INITLAB_CACHE`.
"""

import gzip
import hashlib
import os
import tempfile
import zlib
from pathlib import Path

import platformdirs

from initlab.errors import DataError, StorageError

LARGEST = 2 << 30
_CHUNK = 1 << 20


def cache_folder() -> Path:
    """Where unpacked datasets lie; deleting it is always safe."""
    return Path(os.environ.get("INITLAB_CACHE") or platformdirs.user_cache_dir("initlab"))


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unpack(packed: Path) -> tuple[Path, str]:
    """The unpacked copy of a gzip file, and its SHA-256; unpacked anew unless an intact copy is there.

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
    descriptor, name = tempfile.mkstemp(dir=cache_folder(), suffix=".part")
    part = Path(name)
    try:
        digest = _copy_unpacked(packed, descriptor)
        final = cache_folder() / f"{prefix}-{digest}.idx"
        os.replace(part, final)
        return final, digest
    finally:
        part.unlink(missing_ok=True)


def _copy_unpacked(packed: Path, descriptor: int) -> str:
    digest, size = hashlib.sha256(), 0
    with os.fdopen(descriptor, "wb") as target, gzip.open(packed, "rb") as source:
        for chunk in iter(lambda: _read_packed(source, packed), b""):
            size += len(chunk)
            if size > LARGEST:
                raise DataError(f"{packed}: holds more than {LARGEST:,} bytes")
            digest.update(chunk)
            target.write(chunk)
        target.flush()
        os.fsync(target.fileno())
    return digest.hexdigest()


def _read_packed(source: gzip.GzipFile, packed: Path) -> bytes:
    try:
        return source.read(_CHUNK)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{packed}: damaged or truncated gzip file: {error}") from error
