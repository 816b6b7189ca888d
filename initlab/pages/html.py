"""The file of a page: values -> a template filled in, with its style, its data and its scripts.

A page asks no network, and whatever a text of a person holds is text: templates escape, data cannot end its
script, and the Content-Security-Policy lets nothing run but the scripts, which it names by their digests.
"""

import hashlib
import json
import re
from base64 import b64encode
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from initlab import __version__
from initlab.tables import plain

_HERE = Path(__file__).parent


def page(
    template: str,
    *,
    styles: Sequence[str],
    scripts: Sequence[str],
    images: str,
    connects: bool = False,
    **values: Any,
) -> str:
    """The text of a page.

    Args:
        template: its file in this folder.
        styles: files of this folder, after `page.css`.
        scripts: their text.
        images: where pictures may come from: "data:", or "'self'" for the files beside the page.
        connects: whether scripts may ask the server that the page came from.
        values: that the template names.
    """
    from markupsafe import Markup

    text: str = (
        _environment()
        .get_template(template)
        .render(
            version=__version__,
            policy=Markup(_policy(scripts, images, connects)),
            style=Markup("".join(map(own_text, ("page.css", *styles)))),
            scripts=list(map(Markup, scripts)),
            **values,
        )
    )
    return text


@cache
def _environment() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["prose"] = prose
    return environment


def _shown(value: Any) -> Any:
    """Every text that a template shows, with its lines, but without what turns them around."""
    from markupsafe import Markup

    if isinstance(value, Markup) or not isinstance(value, str):
        return "-" if value is None else value
    return "\n".join(map(plain, value.split("\n")))


def prose(text: str) -> Any:
    """A sentence, in which what stands between backticks is code; all of it is escaped.

    >>> print(prose("run `initlab run <name>`"))
    run <code>initlab run &lt;name&gt;</code>
    """
    from markupsafe import Markup, escape

    # Parts at odd places stood between two backticks.
    parts = map(escape, re.split(r"`([^`]+)`", _shown(text)))
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else part for place, part in enumerate(parts)
    )


@cache
def own_text(name: str) -> str:
    """The text of a file of this folder."""
    return (_HERE / name).read_text("utf-8")


def _policy(scripts: Sequence[str], images: str, connects: bool) -> str:
    digests = [b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests) or "'none'"
    # Styles may stand in elements: Vega sets those of its charts and its hints.
    rules = f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src {images}"
    rules += "; connect-src 'self'" * connects
    return f"{rules}; base-uri 'none'; form-action 'none'"


def json_text(value: Any) -> str:
    """JSON that can stand in a script element: nothing in it can end that, or begin a comment.

    >>> print(json_text(["</script><!--"]))
    ["\\u003c/script\\u003e\\u003c!--"]
    """
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
