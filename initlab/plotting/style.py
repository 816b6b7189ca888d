"""How figures look: one style, one colour, marker and dash for each scheme, files without a date.

@styled draw(data) -> Figure -> render -> bytes of a picture; shown inline in a notebook
"""

import hashlib
import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

import matplotlib as mpl
from matplotlib import figure as matplotlib_figure
from matplotlib.backends.backend_agg import FigureCanvasAgg

from initlab.own_code import shown
from initlab.plotting.fonts import choose_fonts

_STYLE = Path(__file__).with_name("style.mplstyle")
# A date or a version in a file would make the same figure differ from day to day.
_METADATA: dict[str, dict[str, str | None]] = {"png": {"Software": None}, "svg": {"Date": None}}

Arguments = ParamSpec("Arguments")
AnyFigure = TypeVar("AnyFigure", bound=matplotlib_figure.Figure)


class Figure(matplotlib_figure.Figure):
    """A figure that a notebook shows as a picture; a plain one, which has no window, it shows as text."""

    def _repr_png_(self) -> bytes:
        return render(self, "png")


@dataclass(frozen=True)
class Look:
    """What distinguishes a scheme in a figure, with and without colour.

    Attributes:
        color: as "#D55E00".
        marker, dash: matplotlib's marker and line style.
    """

    color: str
    marker: str
    dash: str


# Okabe and Ito's colours, which colour-blind readers can distinguish: one for each family of schemes. Markers
# and dashes distinguish the schemes of a family, and all schemes in a print without colour.
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
    "zero": Look("#E69F00", "d", "-."),
    "mirror": Look("#CC79A7", "d", "-"),
    "shift": Look("#CC79A7", "d", "--"),
    "auto": Look("#000000", "s", "-"),
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


def _own_look(scheme: str) -> Look | None:
    """The look of a scheme's text, or else of its name without the arguments; or None."""
    return _LOOKS.get(scheme) or _LOOKS.get(scheme.partition("(")[0])


def look(scheme: str) -> Look:
    """The look of a scheme's text, the same in every figure; schemes without one share a few, by a hash.

    >>> look("he(scale=1.8)") == look("he")
    True
    """
    # A file that changed keeps its look. Python's own hash of a text differs from process to process.
    number = int(hashlib.sha256(shown(scheme).encode()).hexdigest(), 16)
    hashed = Look(_COLORS[number % 3], _MARKERS[number % len(_MARKERS)], _DASHES[number % len(_DASHES)])
    return _own_look(scheme) or hashed


def distinct_looks(schemes: Sequence[str]) -> list[Look]:
    """A look for each condition of one figure; no two are alike.

    A scheme with a look of its own keeps its colour; a scheme without one takes a colour that is free.
    Conditions that share a colour differ in markers and dashes. If all conditions have one scheme, they get
    different colours.

    Args:
        schemes: the text of each condition's scheme.
    """
    chosen: list[Look] = []
    colors: dict[str, str] = {}
    taken = {look(scheme).color for scheme in schemes if _own_look(scheme)}
    alone = len(set(schemes)) == 1
    for i, scheme in enumerate(schemes):
        own = look(scheme)
        if alone or scheme not in colors:
            keeps = not i if alone else _own_look(scheme) or own.color not in taken
            free = (color for color in _COLORS if color not in taken)
            colors[scheme] = own.color if keeps else next(free, _COLORS[0])
            taken.add(colors[scheme])
        chosen.append(_unlike(Look(colors[scheme], own.marker, own.dash), chosen))
    return chosen


def _unlike(wanted: Look, taken: Sequence[Look]) -> Look:
    """The wanted look, or the same colour with another marker and dash."""
    others = (Look(wanted.color, marker, dash) for dash in _DASHES for marker in _MARKERS)
    return next((candidate for candidate in (wanted, *others) if candidate not in taken), wanted)


def plain(text: str) -> str:
    """Text that matplotlib shows as it is, without reading what stands between two `$` as mathematics."""
    return text.replace("$", r"\$")


def as_written(text: str) -> str:
    """The text of which `plain` made this."""
    return text.replace(r"\$", "$")


@contextmanager
def _package_style() -> Iterator[None]:
    """The package's style, whatever the reader's own settings are."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rc_file(_STYLE, use_default_template=False)
        yield


def styled(draw: Callable[Arguments, AnyFigure]) -> Callable[Arguments, AnyFigure]:
    """Decorate a function that draws, so that it draws in the package's style, in fonts with all letters."""

    @wraps(draw)
    def drawn(*args: Arguments.args, **kwargs: Arguments.kwargs) -> AnyFigure:
        with _package_style():
            figure = draw(*args, **kwargs)
            choose_fonts(figure)
            return figure

    return drawn


def render(figure: matplotlib_figure.Figure, suffix: str) -> bytes:
    """The bytes of a picture; the same data, drawn anew, gives the same bytes.

    A second picture of one figure may differ by fractions of a pixel, because matplotlib's constrained layout
    starts from where the first one left it.

    Args:
        figure: to draw.
        suffix: a format that matplotlib knows, as "png", "svg" or "pdf".
    """
    buffer = io.BytesIO()
    with _package_style(), warnings.catch_warnings():
        # `choose_fonts` names the missing characters in one line.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        choose_fonts(figure)
        FigureCanvasAgg(figure)
        figure.savefig(buffer, format=suffix, metadata=_METADATA.get(suffix, {}))
    return buffer.getvalue()
