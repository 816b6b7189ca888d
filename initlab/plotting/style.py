"""How figures look: a style, one colour, marker and dash for each scheme, files without a date.

@styled draw(data) -> Figure -> render -> bytes of a picture; shown inline in a notebook
with figure_style("slides"): all of it in another style
"""

import hashlib
import io
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import cache, wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib as mpl
from matplotlib import figure as matplotlib_figure
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.collections import Collection
from matplotlib.colors import to_rgba_array
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, StepPatch
from matplotlib.text import Text

from initlab.errors import InitlabError, UsageError
from initlab.init.scheme import Scheme
from initlab.own_code import is_reference, shown
from initlab.plotting.appearance import Appearance, Size
from initlab.plotting.fonts import choose_fonts, no_remarks_on_weights

_STYLE = Path(__file__).with_name("style.mplstyle")
_LETTERS = 9  # points, the size of letters in `style.mplstyle`, to which all others are proportional
# A date or a version in a file would make the same figure differ from day to day.
_METADATA: dict[str, dict[str, str | None]] = {
    "png": {"Software": None},
    "svg": {"Date": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
_chosen: ContextVar[Appearance] = ContextVar("appearance")

Arguments = ParamSpec("Arguments")
AnyFigure = TypeVar("AnyFigure", bound=matplotlib_figure.Figure)


class Figure(matplotlib_figure.Figure):
    """A figure that a notebook shows as a picture; a plain one, which has no window, it shows as text.

    It has the size of the chosen style instead of its own, and keeps the style for when it is rendered.

    Args:
        figsize: width and height in inches, by themselves.
        more: of matplotlib's figure.
    """

    def __init__(self, figsize: tuple[float, float] = (6.4, 4.8), **more: Any) -> None:
        self.appearance = _appearance()
        *size, factor = self.appearance.fitted(*figsize)
        if factor != 1:
            for name in ("font.size", "axes.titlesize"):
                mpl.rcParams[name] = factor * letters(mpl.rcParams[name])
        self.parameters = _parameters()
        super().__init__(figsize=(size[0], size[1]), layout="constrained", **more)

    def grow(self, wide: float, high: float) -> None:
        """Grow to a size in inches, as far as the style leaves it free."""
        width, height = self.get_size_inches()
        free = self.appearance.width is None, self.appearance.height is None
        self.set_size_inches(max(wide, width) if free[0] else width, max(high, height) if free[1] else height)

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
    "skipinit": Look("#D55E00", "s", "-."),
    "fixup": Look("#D55E00", "^", ":"),
    "rezero": Look("#56B4E9", "D", "--"),
    "gpt2": Look("#0072B2", "v", "-."),
    "mup": Look("#009E73", "p", "--"),
    "delta_orthogonal": Look("#0072B2", "p", ":"),
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


# In print without colour, three grey levels: markers and dashes distinguish the schemes.
_INKS = dict(zip(_COLORS, ("#6E6E6E", "#6E6E6E", "#3C3C3C") * 3, strict=True)) | {"#000000": "#000000"}
_BAR = "#B0B0B0"  # on which the black outline of theory is seen


def _own_look(scheme: str) -> Look | None:
    """The look of a scheme's text, or else of its name without the arguments; or None."""
    texts = (scheme, scheme.partition("(")[0], _canonical(scheme), _canonical(scheme).partition("(")[0])
    return next((_LOOKS[text] for text in texts if text in _LOOKS), None)


@cache
def _canonical(text: str) -> str:
    """A scheme's own text, so that `std=0.01` looks like `normal(std=0.01)`; any other text as it is."""
    if is_reference(text):  # whose file would run
        return text
    try:
        return str(Scheme.parse(text))
    except InitlabError:
        return text


def look(scheme: str) -> Look:
    """The look of a scheme's text, the same in every figure; schemes without one share a few, by a hash.

    >>> look("he(scale=1.8)") == look("he"), look("std=0.01") == look("normal(std=0.01)")
    (True, True)
    """
    # A file that changed keeps its look. Python's own hash of a text differs from process to process.
    number = int(hashlib.sha256(shown(_canonical(scheme)).encode()).hexdigest(), 16)
    hashed = Look(_COLORS[number % 3], _MARKERS[number % len(_MARKERS)], _DASHES[number % len(_DASHES)])
    return _own_look(scheme) or hashed


def distinct_looks(schemes: Sequence[str]) -> list[Look]:
    """A look for each condition of one figure; no two are alike.

    A scheme with a look of its own keeps its colour; a scheme without one takes a colour that is free.
    Conditions that share a colour differ in markers and dashes; in print without colour, all do. If all
    conditions have one scheme, they get different colours.

    Args:
        schemes: the text of each condition's scheme.
    """
    chosen: list[Look] = []
    colors: dict[str, str] = {}
    schemes = list(map(_canonical, schemes))
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
    if _is_gray():
        wanted = replace(wanted, color=_INKS.get(wanted.color, wanted.color))
        taken = [replace(each, color=wanted.color) for each in taken]
    others = (Look(wanted.color, marker, dash) for dash in _DASHES for marker in _MARKERS)
    return next((candidate for candidate in (wanted, *others) if candidate not in taken), wanted)


def plain(text: str) -> str:
    """Text that matplotlib shows as it is, without reading what stands between two `$` as mathematics."""
    return text.replace("$", r"\$")


def as_written(text: str) -> str:
    """The text of which `plain` made this."""
    return text.replace(r"\$", "$")


@contextmanager
def figure_style(
    style: str | Mapping[str, Any] | None = "screen", *, size: Size | None = None, svg_text: bool = False
) -> Iterator[None]:
    """Figures that are drawn within this block have another style or size; they keep it when they are saved.

    By default figures have the package's own style, whatever matplotlib's rcParams are, so that the same data
    give the same file. Here you say what else should hold:

        with initlab.figure_style("paper", size="column"):        # a style of the package
        with initlab.figure_style({"font.family": "serif"}):      # your rcParams over the package's
        with initlab.figure_style(None), plt.style.context("ggplot"):   # only yours, as they are

    Args:
        style: screen; paper (letters and resolution for print, as wide as a page); slides (large letters and
            thick lines, 16:9); gray (markers, dashes and grey levels, for print without colour); a mapping of
            rcParams; or None for the rcParams as they are where the figure is drawn. Schemes keep their
            colours.
        size: column (3.5 inches wide), page (7), slide (10 x 5.625), a width in inches, or (width, height).
        svg_text: whether an SVG holds text as text, which can be edited and searched, and not as outlines.

    Raises:
        UsageError: for an unknown style, size or rcParam.

    >>> from initlab.plotting.loss import loss_figure
    >>> with figure_style("slides"):
    ...     figure = loss_figure({"he": [2.3, 1.0, 0.5]})
    >>> figure.get_size_inches().tolist()
    [10.0, 5.625]
    """
    appearance = Appearance.of(style, size, svg_text)
    try:
        with mpl.rc_context(appearance.parameters):
            pass
    except (KeyError, ValueError) as error:
        raise UsageError(f"no style for matplotlib: {str(error).splitlines()[0]}") from None
    before = _chosen.set(appearance)
    try:
        yield
    finally:
        _chosen.reset(before)


def _appearance() -> Appearance:
    """What the block of `figure_style` around us says."""
    return _chosen.get(Appearance())


def chosen_width() -> float | None:
    """The width in inches that figures are to have; None where each has its own."""
    return _appearance().width


def _is_gray() -> bool:
    return _appearance().style == "gray"


def letters(size: float | str) -> float:
    """A size of letters, as matplotlib names it, in points; "large" is relative to the style's font.size."""
    return float(Text(size=size).get_fontsize())


def points(size: float) -> float:
    """A size of letters, or of what they fill, in proportion to the style's font.size."""
    return float(size * mpl.rcParams["font.size"] / _LETTERS)


@contextmanager
def _chosen_style() -> Iterator[None]:
    """The chosen style; the package's own, whatever the reader's settings are, unless these are asked for."""
    appearance = _appearance()
    with mpl.rc_context():
        if appearance.style is not None:
            mpl.rcdefaults()
            mpl.rc_file(_STYLE, use_default_template=False)
        mpl.rcParams.update({"svg.hashsalt": "initlab", **appearance.parameters})
        yield


def _parameters() -> dict[Any, Any]:
    """All rcParams as they are, without the choice of a window, which no figure here has."""
    return {name: value for name, value in mpl.rcParams.copy().items() if not name.startswith("backend")}


def styled(draw: Callable[Arguments, AnyFigure]) -> Callable[Arguments, AnyFigure]:
    """Decorate a function that draws, so that it draws in the chosen style, in fonts with all letters."""

    @wraps(draw)
    def drawn(*args: Arguments.args, **kwargs: Arguments.kwargs) -> AnyFigure:
        with _chosen_style():
            figure = draw(*args, **kwargs)
            if _is_gray():
                _remove_colours(figure)
            choose_fonts(figure)
            return figure

    return drawn


def _remove_colours(figure: matplotlib_figure.Figure) -> None:
    """Replace each colour by the grey of the same lightness."""
    for artist in figure.findobj():
        if isinstance(artist, ScalarMappable) and artist.get_array() is not None:
            artist.set_cmap("gray")
        elif isinstance(artist, Line2D | Text):
            artist.set_color(_gray(artist.get_color()))
        elif isinstance(artist, StepPatch) and artist.get_fill():
            artist.set_facecolor(_BAR)
        elif isinstance(artist, Patch | Collection):
            _remove_colours_of(artist)


def _remove_colours_of(artist: Artist) -> None:
    for part in ("facecolor", "edgecolor"):
        colors = to_rgba_array(getattr(artist, f"get_{part}")())
        if colors[:, 3].any():
            artist.set(
                **{part: list(map(_gray, colors)) if isinstance(artist, Collection) else _gray(colors[0])}
            )


def _gray(color: Any) -> tuple[float, float, float, float]:
    red, green, blue, alpha = map(float, to_rgba_array(color)[0])
    lightness = 0.299 * red + 0.587 * green + 0.114 * blue
    return lightness, lightness, lightness, alpha


def render(figure: matplotlib_figure.Figure, suffix: str) -> bytes:
    """The bytes of a picture; the same data, drawn anew, gives the same bytes.

    A second picture of one figure may differ by fractions of a pixel, because matplotlib's constrained layout
    starts from where the first one left it.

    Args:
        figure: to draw, in the style in which it was made.
        suffix: a format that matplotlib knows, as "png", "svg" or "pdf".

    Raises:
        UsageError: when the figure has no room in the size that was asked for.
    """
    buffer = io.BytesIO()
    with _rendering(figure):
        figure.savefig(buffer, format=suffix, metadata=_METADATA.get(suffix, {}))
    return buffer.getvalue()


def lay_out(figure: matplotlib_figure.Figure) -> None:
    """Give all parts of a figure their places, as `render` does, so that they can be compared."""
    with _rendering(figure):
        figure.draw_without_rendering()


@contextmanager
def _rendering(figure: matplotlib_figure.Figure) -> Iterator[None]:
    """In the figure's style, on a canvas, with one message for what matplotlib warns of many times."""
    with _style_of(figure), no_remarks_on_weights(), warnings.catch_warnings():
        # `choose_fonts` names the missing characters in one line.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        warnings.filterwarnings("error", "constrained_layout not applied")
        choose_fonts(figure)
        FigureCanvasAgg(figure)
        try:
            yield
        except UserWarning as warning:
            if "constrained_layout" not in str(warning):
                raise
            wide, high = figure.get_size_inches()
            message = f"the figure has no room in {wide:g} x {high:g} inches; make it larger, or draw less"
            raise UsageError(message) from None


@contextmanager
def _style_of(figure: matplotlib_figure.Figure) -> Iterator[None]:
    """The style in which a figure was made."""
    with mpl.rc_context(figure.parameters) if isinstance(figure, Figure) else _chosen_style():
        yield
