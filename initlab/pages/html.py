"""The file of a page: sections -> a template filled in, with its style, its data and its scripts.

The page asks no network, and whatever a label holds is text: templates escape, data cannot end its script,
and the Content-Security-Policy lets nothing run but the scripts, which it names by their digests.
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
    """The text of a report.

    Args:
        title: of the page.
        sections: one for each experiment.
        together: what they have in common, if they are several.
    """
    every = [*([together] if together else []), *sections]
    return filled(
        "report.html",
        styles=["report.css"],
        scripts=[_libraries(), source("report.js")],
        data=json_text([chart.data() for each in every for chart in each.charts]),
        title=title,
        symbols=SYMBOLS,
        dashes=DASHES,
        sections=every,
    )


def filled(
    template: str,
    *,
    styles: Sequence[str],
    scripts: Sequence[str],
    data: str,
    connects: bool = False,
    **values: Any,
) -> str:
    """The text of a page.

    Args:
        template: the name of its file.
        styles: names of files, in their order.
        scripts: the texts of all scripts that may run.
        data: for an element that holds data, as from `json_text`.
        connects: whether scripts may ask the server from which the page came.
        values: of the template's other names.
    """
    from markupsafe import Markup

    page: str = (
        _environment()
        .get_template(template)
        .render(
            version=__version__,
            policy=Markup(_policy(scripts, connects)),
            style=Markup("".join(map(source, styles))),
            data=Markup(data),
            scripts=list(map(Markup, scripts)),
            **values,
        )
    )
    return page


def source(name: str) -> str:
    """The text of a style sheet or script that lies here."""
    return (_HERE / name).read_text("utf-8")


def _environment() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    def as_text(value: Any) -> Any:
        """Every text that a template shows, with its lines, but without what turns them around."""
        if isinstance(value, Markup) or not isinstance(value, str):
            return "-" if value is None else value
        return "\n".join(map(plain, value.split("\n")))

    return Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        finalize=as_text,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


@cache
def _libraries() -> str:
    """Vega, Vega-Lite and Vega-Embed in one script."""
    import vl_convert

    bundle: Any = vl_convert.javascript_bundle  # whose stub asks for an argument that has a default
    script = str(bundle())
    assert "</script" not in script.lower()
    assert "<!--" not in script
    return script


def _policy(scripts: Sequence[str], connects: bool) -> str:
    digests = [b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    # Styles may stand in elements: Vega sets those of its charts and its hints.
    rules = f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:"
    connected = "; connect-src 'self'" if connects else ""
    return f"{rules}{connected}; base-uri 'none'; form-action 'none'"


def json_text(value: Any) -> str:
    """JSON that can stand in a script element: nothing in it can end that, or begin a comment.

    >>> print(json_text(["</script><!--"]))
    ["\\u003c/script\\u003e\\u003c!--"]
    """
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
