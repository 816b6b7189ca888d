"""How figures look: one style, one colour, marker and dash for each scheme, files that carry no date."""

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import ParamSpec

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

_STYLE = Path(__file__).with_name("style.mplstyle")
_METADATA: dict[str, dict[str, str | None]] = {"png": {"Software": None}, "svg": {"Date": None}}

Arguments = ParamSpec("Arguments")


@dataclass(frozen=True)
class Look:
    """What tells a scheme apart, with and without colour."""

    color: str
    marker: str
    dash: str


# Okabe and Ito's colours, which the colour-blind can tell apart.
_LOOKS = {
    "normal(std=1)": Look("#CC79A7", "X", ":"),
    "normal(std=0.01)": Look("#0072B2", "o", "-"),
    "book:xavier": Look("#009E73", "s", "--"),
    "lecun": Look("#009E73", "s", "--"),
    "xavier": Look("#56B4E9", "^", "-."),
    "he": Look("#D55E00", "D", "-"),
    "zeros": Look("#000000", "v", ":"),
}
_SPARE = [
    Look(c, m, d)
    for m, d in (("P", "--"), ("<", "-."), (">", "-"))
    for c in ("#E69F00", "#7F7F7F", "#8C564B")
]


def look(scheme: str) -> Look:
    """The look of a scheme, the same in every figure; less known ones share a few by their name's hash."""
    if scheme in _LOOKS:
        return _LOOKS[scheme]
    return _SPARE[int(hashlib.sha256(scheme.encode()).hexdigest(), 16) % len(_SPARE)]


def plain(text: str) -> str:
    """Text that the math parser leaves alone."""
    return text.replace("$", r"\$")


def styled(draw: Callable[Arguments, Figure]) -> Callable[Arguments, Figure]:
    """Draw under the package's style, whatever the reader's own settings are."""

    @wraps(draw)
    def drawn(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Figure:
        with mpl.rc_context():
            mpl.rcdefaults()
            mpl.rc_file(_STYLE, use_default_template=False)
            return draw(*args, **kwargs)

    return drawn


def render(figure: Figure, suffix: str) -> bytes:
    """The bytes of a picture in a format that matplotlib knows: the same for the same figure."""
    buffer = io.BytesIO()
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rc_file(_STYLE, use_default_template=False)
        FigureCanvasAgg(figure)
        figure.savefig(buffer, format=suffix, metadata=_METADATA.get(suffix, {}))
    return buffer.getvalue()
