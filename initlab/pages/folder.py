"""A folder of pages: files by name -> written whole, one by one, beside whatever else lies in the folder.

`site.json` lists the files that a site wrote. They are replaced or removed by the next one; all other files
are somebody's, and stay. While a site is written, the list holds the names of the old and the new one, so
that an interrupted command is simply run again.
"""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from initlab.errors import StorageError
from initlab.files import make_folder, read_object, write_shared
from initlab.tables import plain

LIST = "site.json"
_MADE_BY = "initlab site"


def write_folder(target: Path, files: Mapping[str, bytes]) -> None:
    """Write the files of a site; what an earlier site wrote and this one has not is removed.

    Args:
        target: the folder; it is made if it is not there.
        files: by their names, as "index.html" or "symmetry/index.html".

    Raises:
        StorageError: before anything is written, when a file of somebody's would be replaced or the folder is
            not that of a site; or when a file cannot be written.
    """
    earlier = earlier_files(target)
    _refuse_to_replace(target, files, earlier)
    try:
        _make_folders(target, files)
        _write_list(target, {*earlier, *files})
        for name, content in files.items():
            _write(target / name, content)
        _remove(target, earlier - set(files))
        _write_list(target, files)
    except OSError as error:
        place = error.filename or target
        raise StorageError(f"{place}: cannot write: {error.strerror or error}") from error


def earlier_files(target: Path) -> set[str]:
    """The files that an earlier site wrote into a folder.

    Args:
        target: the folder; there are none if it is not there.

    Raises:
        StorageError: when it is not the folder of a site.
    """
    if not target.exists():
        return set()
    if not target.is_dir():
        raise StorageError(f"{target}: is a file; a site is a folder")
    if not (target / LIST).exists():
        if any(target.iterdir()):
            raise StorageError(
                f"{target}: holds files that no site wrote; name an empty folder, or a new one"
            )
        return set()
    tree = read_object(target / LIST)
    names = tree.get("files")
    if tree.get("made by") != _MADE_BY or not isinstance(names, list):
        raise StorageError(f"{target / LIST}: is no list of a site's files; name another folder")
    # The list may have been written by anybody, and what it names may be removed.
    strange = next((name for name in names if not _is_ours(name)), None)
    if strange is not None:
        raise StorageError(
            f"{target / LIST}: no site writes a file {plain(repr(strange))}; name another folder"
        )
    return set(names)


def _is_ours(name: object) -> bool:
    """Whether a site may have written a file of this name: in the folder, or one below, and no path out."""
    return (
        isinstance(name, str)
        and re.fullmatch(r"(\w[\w-]*/)?\w[\w-]*\.(html|json|png|svg|csv)", name) is not None
    )


def _refuse_to_replace(target: Path, files: Iterable[str], earlier: set[str]) -> None:
    """Before anything is written; through a link, files elsewhere would be replaced or removed."""
    for name in sorted({*files, *earlier}):
        path = target / name
        if path.parent != target and (path.parent.is_symlink() or path.parent.is_file()):
            raise StorageError(f"{path.parent}: is no folder of a site; move it, or name another folder")
        if name not in earlier and (path.exists() or path.is_symlink()):
            raise StorageError(f"{path}: no site wrote this file; move it, or name another folder")
        if path.is_dir():
            raise StorageError(f"{path}: is a folder; move it, or name another folder for the site")


def _make_folders(target: Path, files: Iterable[str]) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for folder in sorted({PurePosixPath(name).parent for name in files}):
        make_folder(target / folder)


def _write(path: Path, content: bytes) -> None:
    """Write a file unless it has this content already: then its time stays too."""
    if not (path.is_file() and path.read_bytes() == content):
        write_shared(path, content)


def _write_list(target: Path, names: Iterable[str]) -> None:
    tree = {"made by": _MADE_BY, "files": sorted(names)}
    _write(target / LIST, json.dumps(tree, indent=1).encode() + b"\n")


def _remove(target: Path, names: Iterable[str]) -> None:
    """Remove files, and the folders that are empty then."""
    for name in sorted(names):
        (target / name).unlink(missing_ok=True)
    for folder in {(target / name).parent for name in names} - {target}:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
