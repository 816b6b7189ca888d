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


# Okabe and Ito's colours, which the colour-blind can tell apart: one for each family of schemes. Within it,
# and in a print without colour, markers and dashes tell.
_LOOKS = {
    "normal(std=1)": Look("#CC79A7", "X", ":"),
    "uniform": Look("#CC79A7", ">", "-."),
    "normal(std=0.01)": Look("#0072B2", "o", "-"),
    "rbm": Look("#0072B2", "o", ":"),
    "truncated_normal": Look("#0072B2", "<", "--"),
    "book:xavier": Look("#009E73", "s", "--"),
    "lecun": Look("#009E73", "s", "--"),
    "lecun_uniform": Look("#009E73", "P", "-"),
    "classic": Look("#009E73", "h", ":"),
    "xavier": Look("#56B4E9", "^", "-."),
    "xavier_uniform": Look("#56B4E9", "v", "-"),
    "xavier_sigmoid": Look("#56B4E9", "<", "-"),
    "xavier_sigmoid_uniform": Look("#56B4E9", ">", ":"),
    "he": Look("#D55E00", "D", "-"),
    "he_uniform": Look("#D55E00", "o", "--"),
    "slide:he": Look("#D55E00", "*", ":"),
    "orthogonal": Look("#E69F00", "p", "-"),
    "identity": Look("#E69F00", "h", "--"),
    "sparse": Look("#8C564B", "P", "-."),
    "martens": Look("#8C564B", "*", "--"),
    "random_walk": Look("#7F7F7F", "*", "-"),
    "variance_scaling": Look("#7F7F7F", "D", "-."),
    "critical": Look("#7F7F7F", "h", "-"),
    "lsuv": Look("#E69F00", "X", "-"),
    "within_layer": Look("#E69F00", "X", "--"),
    "pretrained_rbm": Look("#0072B2", "P", "--"),
    "pretrained_autoencoder": Look("#009E73", "d", ":"),
    "zeros": Look("#000000", "v", ":"),
    "constant": Look("#000000", "^", "--"),
}
_COLORS = ("#E69F00", "#7F7F7F", "#8C564B", "#D55E00", "#0072B2", "#009E73", "#CC79A7", "#56B4E9", "#000000")
_MARKERS = ("o", "s", "D", "^", "v", "P", "<", ">", "*", "h")
_DASHES = ("-", "--", "-.", ":")


def _known(scheme: str) -> Look | None:
    """The look of a scheme's text, or else of its initializer, whatever the arguments."""
    return _LOOKS.get(scheme) or _LOOKS.get(scheme.partition("(")[0])


def look(scheme: str) -> Look:
    """The look of a scheme, the same in every figure; less known ones share a few by their name's hash."""
    number = int(hashlib.sha256(scheme.encode()).hexdigest(), 16)
    hashed = Look(_COLORS[number % 3], _MARKERS[number % len(_MARKERS)], _DASHES[number % len(_DASHES)])
    return _known(scheme) or hashed


def distinct_looks(schemes: Sequence[str]) -> list[Look]:
    """A look for each condition of one figure, of which no two are alike.

    A scheme with a look of its own keeps its colour, and others of its family have the same; a less known one
    gives way. What shares a colour goes through markers and dashes; a single scheme's conditions go through
    the other colours.
    """
    chosen: list[Look] = []
    colors: dict[str, str] = {}
    taken = {look(scheme).color for scheme in schemes if _known(scheme)}
    alone = len(set(schemes)) == 1
    for i, scheme in enumerate(schemes):
        own = look(scheme)
        if alone or scheme not in colors:
            keeps = not i if alone else _known(scheme) or own.color not in taken
            free = (color for color in _COLORS if color not in taken)
            colors[scheme] = own.color if keeps else next(free, _COLORS[0])
            taken.add(colors[scheme])
        chosen.append(_unlike(Look(colors[scheme], own.marker, own.dash), chosen))
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
