"""The file of a page: sections -> `report.html` filled in, with its style, its data and its two scripts.

The page asks no network, and whatever a label holds is text: templates escape, data cannot end its script,
and the Content-Security-Policy lets nothing run but the two scripts, which it names by their digests.
"""

import hashlib
import json
from base64 import b64encode
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from initlab import __version__
from initlab.pages.sections import Section
from initlab.pages.specifications import DASHES, SYMBOLS
from initlab.tables import plain

_HERE = Path(__file__).parent


def rendered(title: str, sections: Sequence[Section], together: Section | None) -> str:
    """The text of the page.

    Args:
        title: of the page.
        sections: one for each experiment.
        together: what they have in common, if they are several.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    def as_text(value: Any) -> Any:
        """Every text that a template shows, with its lines, but without what turns them around."""
        if isinstance(value, Markup) or not isinstance(value, str):
            return "-" if value is None else value
        return "\n".join(map(plain, value.split("\n")))

    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        finalize=as_text,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    every = [*([together] if together else []), *sections]
    charts = [chart.data() for each in every for chart in each.charts]
    scripts = [_libraries(), (_HERE / "report.js").read_text("utf-8")]
    template = environment.get_template("report.html")
    page: str = template.render(
        title=title,
        symbols=SYMBOLS,
        dashes=DASHES,
        version=__version__,
        sections=every,
        policy=Markup(_policy(scripts)),
        style=Markup((_HERE / "report.css").read_text("utf-8")),
        data=Markup(json_text(charts)),
        scripts=list(map(Markup, scripts)),
    )
    return page


@cache
def _libraries() -> str:
    """Vega, Vega-Lite and Vega-Embed in one script."""
    import vl_convert

    bundle: Any = vl_convert.javascript_bundle  # whose stub asks for an argument that has a default
    script = str(bundle())
    assert "</script" not in script.lower()
    assert "<!--" not in script
    return script


def _policy(scripts: Sequence[str]) -> str:
    digests = [b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    # Styles may stand in elements: Vega sets those of its charts and its hints.
    rules = f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:"
    return f"{rules}; base-uri 'none'; form-action 'none'"


def json_text(value: Any) -> str:
    """JSON that can stand in a script element: nothing in it can end that, or begin a comment.

    >>> print(json_text(["</script><!--"]))
    ["\\u003c/script\\u003e\\u003c!--"]
    """
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
