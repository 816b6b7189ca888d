"""How figures look: one style, one colour, marker and dash for each scheme, files that carry no date."""

import hashlib
import io
import warnings
from collections.abc import Callable, Sequence
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
_COLORS = ("#E69F00", "#7F7F7F", "#8C564B", "#D55E00", "#0072B2", "#009E73", "#CC79A7", "#56B4E9", "#000000")
_MARKERS = ("o", "s", "D", "^", "v", "P", "<", ">", "*", "h")
_DASHES = ("-", "--", "-.", ":")


def look(scheme: str) -> Look:
    """The look of a scheme, the same in every figure; less known ones share a few by their name's hash."""
    if scheme in _LOOKS:
        return _LOOKS[scheme]
    number = int(hashlib.sha256(scheme.encode()).hexdigest(), 16)
    return Look(_COLORS[number % 3], _MARKERS[number % len(_MARKERS)], _DASHES[number % len(_DASHES)])


def distinct_looks(schemes: Sequence[str]) -> list[Look]:
    """A look for each condition of one figure, of which no two are alike.

    Each scheme keeps its colour. A scheme that stands in several conditions goes through markers and dashes;
    a colour that is taken by another scheme, or a single scheme's conditions, through the other colours.
    """
    chosen: list[Look] = []
    owners: dict[str, str] = {}
    alone = len(set(schemes)) == 1
    for i, scheme in enumerate(schemes):
        own = look(scheme)
        color = own.color if owners.get(own.color, scheme) == scheme and not (alone and i) else None
        owned = [taken for taken, owner in owners.items() if owner == scheme]
        if color is None:
            free = [one for one in _COLORS if one not in owners]
            color = owned[0] if owned and not alone else (free or [*_COLORS])[0]
        owners.setdefault(color, scheme)
        chosen.append(_unlike(Look(color, own.marker, own.dash), chosen))
    return chosen


def _unlike(wanted: Look, taken: Sequence[Look]) -> Look:
    """The wanted look, or one of its colour with another marker and dash."""
    others = (Look(wanted.color, marker, dash) for dash in _DASHES for marker in _MARKERS)
    return next((one for one in (wanted, *others) if one not in taken), wanted)


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
    with mpl.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        mpl.rcdefaults()
        mpl.rc_file(_STYLE, use_default_template=False)
        FigureCanvasAgg(figure)
        figure.savefig(buffer, format=suffix, metadata=_METADATA.get(suffix, {}))
    return buffer.getvalue()
