"""What ships with the package: configs by name, the gallery's experiments, and their results.

`mnist` -> the file mnist.yaml, wherever the package is installed.
"""

import os
import re
from itertools import islice
from pathlib import Path

from initlab.errors import UsageError, similar, unknown_name
from initlab.runner.yaml_text import read_yaml, write_yaml

_PACKAGE = Path(__file__).parents[1]


def shipped_folder(name: str) -> Path:
    """A folder that ships with the package: a wheel holds it within the package, a checkout beside it.

    Args:
        name: "configs", "experiments" or "results".

    >>> (shipped_folder("configs") / "mnist.yaml").is_file()
    True
    """
    within = _PACKAGE / name
    # Beside an installed package lie the folders of strangers, so nothing is looked for there.
    return within if (_PACKAGE / "configs").is_dir() else _PACKAGE.parent / name


def shipped_configs() -> dict[str, Path]:
    """The shipped configs by name.

    >>> "mnist" in shipped_configs()
    True
    """
    return {file.stem: file for file in sorted(shipped_folder("configs").glob("*.yaml"))}


def shipped_config(name: str) -> Path:
    """The file of a shipped config.

    Raises:
        UsageError: for an unknown name.

    >>> shipped_config("mnist").name
    'mnist.yaml'
    """
    configs = shipped_configs()
    if name not in configs:
        raise UsageError(unknown_name("config", name, configs, "initlab run --list"))
    return configs[name]


def descriptions() -> dict[str, str]:
    """The description of each shipped config by its name.

    >>> descriptions()["mnist"]
    'A 784-100-100-100-100-10 ReLU network on MNIST, from four initial weight distributions'
    """
    texts = {name: path.read_text("utf-8") for name, path in shipped_configs().items()}
    return {name: read_yaml(text, name).tree["description"] for name, text in texts.items()}


def renamed_config(source: str, name: str) -> str:
    """The text of a shipped config under another name, with its comments.

    Args:
        source: the name of the shipped config.
        name: that of the experiment in the text.

    Raises:
        UsageError: for an unknown config.

    >>> print(renamed_config("mnist", "mine")[:79])
    # The comparison of initial weights on MNIST in "Deep Learning from Scratch" (S
    """
    text = shipped_config(source).read_text("utf-8")
    # The copy has no schema beside it, which the first line names.
    text = re.sub(r"\A# yaml-language-server: .*\n(#\n)?", "", text)
    line = write_yaml({"name": name}).strip()
    return re.sub(r"(?m)^name: \S+(?: +(?=#))?", lambda old: line.ljust(len(old[0])), text, count=1)


def is_plain_name(given: str | Path) -> bool:
    """Whether it may be the name of a shipped config: it has no folder and no suffix.

    >>> is_plain_name("mnist"), is_plain_name("mnist.yaml"), is_plain_name("./mnist")
    (True, False, False)
    """
    return re.fullmatch(r"\w[\w-]{0,63}", str(given)) is not None


def find_config(given: str | Path) -> Path:
    """The file of a config.

    Args:
        given: a path, or the name of a shipped config. A file or folder of that name comes first.

    Raises:
        UsageError: for a plain name that is neither; a path with a folder or a suffix is returned as it is.

    >>> find_config("mnist").name, str(find_config("mine/mnist.yaml"))
    ('mnist.yaml', 'mine/mnist.yaml')
    """
    path = Path(given)
    if not is_plain_name(given) or path.is_file():
        return path
    configs = shipped_configs()
    if str(given) in configs:
        return configs[str(given)]
    if path.exists():
        return path
    hint = other_configs(path) or ";"
    ways = "`initlab run --list` lists all; or give the path of a YAML file"
    raise UsageError(f"unknown config {str(given)!r}{hint} {ways}")


def other_configs(path: Path) -> str:
    """What to say of a file that is not there: a file beside it, or a shipped config, of a similar name.

    Args:
        path: of the file.

    >>> other_configs(Path("mnist.yaml"))
    "; did you mean 'mnist'?"
    """
    if os.path.exists(path):  # Path.exists raises for a name that is too long
        return ""
    beside = {file.stem: str(file) for file in _yaml_files(path.parent)}
    names = {name: name for name in shipped_configs()} | beside
    nearest = [names[name] for name in similar(path.stem, names, 1)]
    return f"; did you mean {nearest[0]!r}?" if nearest else ""


def _yaml_files(folder: Path) -> list[Path]:
    return sorted(islice(folder.glob("*.yaml"), 1000)) if os.path.isdir(folder) else []
