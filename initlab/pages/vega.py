"""The chart library of pages that have interactive charts."""

from functools import cache
from typing import Any


@cache
def vega() -> str:
    """Vega, Vega-Lite and Vega-Embed in one script, which can stand in a page."""
    import vl_convert

    bundle: Any = vl_convert.javascript_bundle  # whose stub asks for an argument that has a default
    script = str(bundle())
    assert "</script" not in script.lower()
    assert "<!--" not in script
    return script
