"""The packages that pages need, and that not every installation has."""

from importlib.util import find_spec

from initlab.errors import require


def require_extra(page: str, *packages: str) -> None:
    """Refuse a page where the packages that it needs are not installed.

    Args:
        page: what needs them, as "a report".
        packages: names of modules.

    Raises:
        UsageError: which says how to install them.
    """
    lacking = " and ".join(package for package in packages if find_spec(package) is None)
    require(not lacking, f"{page} needs {lacking}: pip install 'initlab[report]'")
