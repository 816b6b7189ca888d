"""The lessons of the explorer: a sentence and a setting each, with what the page's own numbers say of it."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from initlab.pages.grid import Grid, Shape


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """A setting that teaches something.

    Attributes:
        title: in a few words.
        sentence: what to see there.
        scheme: its text.
        activation, depth, width: of the network, which has no skip connections.
        beside: another scheme, whose outcome is worth comparing.
    """

    title: str
    sentence: str
    scheme: str
    activation: str
    depth: int = 5
    width: int = 100
    beside: str | None = None

    @property
    def shape(self) -> Shape:
        """That of its networks."""
        return Shape(activation=self.activation, depth=self.depth, width=self.width, skip=None)

    @property
    def fragment(self) -> str:
        """The end of the page's address that leads to the setting."""
        shape = self.shape
        state = {
            "scheme": self.scheme,
            "activation": shape.activation,
            "depth": shape.depth,
            "width": shape.width,
        }
        return f"#{urlencode(state)}"


LESSONS = (
    Lesson(
        title="Zeros",
        sentence="All units of a layer are alike and get the same gradient, so they stay alike, however "
        "many there are. With ReLU nothing but the last biases learns.",
        scheme="zeros",
        activation="relu",
    ),
    Lesson(
        title="Too large",
        sentence="The signal grows from layer to layer, and the first steps of training overflow. Look at "
        "the std under each histogram, and at the chart of the signal.",
        scheme="std=1",
        activation="relu",
    ),
    Lesson(
        title="Too small",
        sentence="The activations shrink to nothing from layer to layer, and so do the gradients on their "
        "way back: the loss stays where it is.",
        scheme="std=0.01",
        activation="tanh",
    ),
    Lesson(
        title="Xavier",
        sentence="With this variance a layer of tanh passes on about what it receives: histograms look "
        "alike, and gradients reach the first layer.",
        scheme="xavier",
        activation="tanh",
    ),
    Lesson(
        title="He",
        sentence="ReLU cuts off half of its input, for which twice Xavier's variance makes up. With "
        "Xavier's, the signal fades.",
        scheme="he",
        activation="relu",
        depth=10,
        beside="xavier",
    ),
    Lesson(
        title="The surprise",
        sentence="These sigmoids are saturated, and their histograms look ruined. But large weights carry "
        "gradients through them: they do not vanish. Xavier's histograms are neat here, and its "
        "gradients vanish.",
        scheme="std=1",
        activation="sigmoid",
        beside="xavier",
    ),
)


def outcome(lesson: Lesson, grid: Grid, points: dict[Shape, list[Any]]) -> str | None:
    """What the page shows of a lesson, without a full stop; None where its grid does not have the setting.

    Args:
        lesson: one of `LESSONS`.
        grid: of the page.
        points: of each shape, a point for each scheme.
    """
    schemes = [scheme for scheme in (lesson.scheme, lesson.beside) if scheme]
    if lesson.shape not in points or not set(schemes) <= set(grid.schemes):
        return None
    column = dict(zip(grid.schemes, points[lesson.shape], strict=True))
    return "; ".join(f"{scheme}: {_outcome_words(column[scheme], grid)}" for scheme in schemes)


def _outcome_words(point: Any, grid: Grid) -> str:
    return f"{point['verdict']} ({', '.join(point['words'])}), {training_words(point, grid)}"


def training_words(point: Any, grid: Grid) -> str:
    """How the training of a point ended.

    Args:
        point: of the page.
        grid: that it belongs to.
    """
    training, measuring = point["training"], grid.measuring
    if training["diverged_at"] is not None:
        return f"diverged at step {training['diverged_at']}"
    return f"{training['accuracy']:.0%} of the test images after {measuring.steps} steps"
