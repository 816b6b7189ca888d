"""An exhibit: a script's settings, measurements, claims, figures and tables -> results/<name>/ with a page.

A script of experiments/ makes one `Exhibit` and decorates its functions, each of which takes the settings:

    exhibit = Exhibit(__file__, __doc__, title=..., question="depth", finding=..., source="He et al. 2015",
                      steps=(1000, 3000), quick={...})

    @exhibit.kept                                   what takes long: measured once and kept
    def losses(s, scheme): ...

    @exhibit.claim("section 2.2", budgets="steps", high=1.5, reason="1.5 nats: it has begun")
    def it_learns(s, steps):                        the claim's name; returns the quantity for each seed
        "From He's weights it learns. ..."          its text: statement, "Measured: ...", lesson
        return losses(s, "he")["losses"][:, steps - 1]

    @exhibit.figure("Training loss ...")
    def loss(s): ...                                returns a matplotlib Figure, drawn in the package's style;
                                                    what it draws is written beside it, as loss.csv

    @exhibit.table()
    def final_losses(s): ...                        returns rows

All texts may hold `{name}`, which is filled in from the settings: so a page says what the script did.
"""

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

from matplotlib.figure import Figure

from initlab.errors import UsageError, unknown_name
from initlab.gallery.claims import Claim, Measured, Outcome, Values, decide
from initlab.gallery.kept import Arrays, read_or_measure
from initlab.gallery.pages import QUESTIONS, Page
from initlab.gallery.prose import Settings
from initlab.plotting.style import styled
from initlab.runner.config import Experiment
from initlab.runner.provenance import fingerprint
from initlab.runner.results import Results
from initlab.runner.store import Store
from initlab.runner.sweep import run_experiment

Value = TypeVar("Value")
Rows = Sequence[Mapping[str, Any]]
Measure = Callable[[Settings], Measured]
Decorated = TypeVar("Decorated", bound=Callable[..., Measured])
MakeRows = Callable[[Settings], Rows]
Draw = Callable[[Settings], Figure]


@dataclass(frozen=True)
class Picture:
    """A figure of an exhibit: its name, its caption, and the function that draws it."""

    name: str
    caption: str
    draw: Draw


@dataclass(frozen=True)
class Table:
    """A table of an exhibit.

    Attributes:
        name: of its file.
        rows: the function that gives its rows.
        tolerance: how far a number may lie from the committed one on another processor.
    """

    name: str
    rows: MakeRows
    tolerance: float


class Exhibit:
    """What one script of experiments/ shows.

    Args:
        file: the script, `__file__`, whose name is the exhibit's.
        about: the script's docstring, `__doc__`, the methods section of its page.
        title: what it is, in a few words.
        question: under which of `QUESTIONS` the index lists it.
        finding: what came out, in one sentence without numbers, for the index.
        source: where its claims come from, unless a claim names another.
        quick: the settings that differ in the reduced form.
        takes: how long the full form takes, as "90 minutes on one core", if it is so long that it is run only
            when it is named.
        settings: all values that measurements use and prose mentions: numbers, texts, tuples, or a mapping of
            several, as in `networks={"width": 100, "depth": 5}`.

    Attributes:
        name, title, question, about, finding, source, takes: as given.
        settings: of the full form.
        claims: each claim, not yet filled in, and the function that measures it.
        pictures, tables: in the order of the script.
    """

    def __init__(
        self,
        file: str,
        about: str | None,
        *,
        title: str,
        question: str,
        finding: str,
        source: str = "",
        quick: Mapping[str, Any] | None = None,
        takes: str = "",
        **settings: Any,
    ) -> None:
        self.name, self.about, self.title = Path(file).stem, (about or "").strip(), title
        self.question, self.finding, self.source, self.takes = question, finding, source, takes
        if question not in QUESTIONS:
            raise UsageError(unknown_name("question", question, QUESTIONS))
        self.settings = Settings(**_flat(settings))
        self.quick = self.settings.replace(**(quick or {}))
        self.claims: list[tuple[Claim, Measure]] = []
        self.pictures: list[Picture] = []
        self.tables: list[Table] = []
        self._training: Path | None = None
        self._memory: dict[tuple[str, str], Any] = {}
        self._machines: list[Mapping[str, Any]] = []

    def kept(self, measure: Callable[..., Mapping[str, Any]]) -> Callable[..., Arrays]:
        """Decorate a function that returns arrays by name: they are measured once, and read from then on.

        They are measured again after a change of the function, of what it uses of its script, of its
        arguments, or of `ALGORITHM`.
        """

        @wraps(measure)
        def arrays(*arguments: Any) -> Arrays:
            store = None if self._training is None else Store(self._training, self.name)
            measurement = self._remember(
                measure.__name__, repr(arguments), lambda: read_or_measure(store, measure, arguments)
            )
            self._note(measurement.machine)
            return measurement.arrays

        return arrays

    def train(self, experiment: Experiment) -> Results:
        """Run an experiment in the folder of trainings, whose records are kept there.

        Raises:
            UsageError: outside of `run`, where there is no such folder.
        """
        if self._training is None:
            raise UsageError(f"{self.name} trains while it is run, by `initlab reproduce {self.name}`")
        folder = self._training
        results = self._remember(
            experiment.name, repr(experiment.resolved()), lambda: run_experiment(experiment, folder)
        )
        for machine in machines_of(results):
            self._note(machine)
        return results

    def _note(self, machine: Mapping[str, Any]) -> None:
        if machine not in self._machines:
            self._machines.append(machine)

    def _remember(self, name: str, key: str, compute: Callable[[], Value]) -> Value:
        if (name, key) not in self._memory:
            self._memory[name, key] = compute()
        value: Value = self._memory[name, key]
        return value

    def claim(
        self,
        place: str = "",
        *,
        reason: str,
        low: float = -math.inf,
        high: float = math.inf,
        source: str | None = None,
        quantity: str = "",
        budgets: str = "",
        **others: Any,
    ) -> Callable[[Decorated], Decorated]:
        """Decorate the function that measures a claim; its name is the claim's, its docstring the text.

        The docstring's first paragraph is the statement. A paragraph that begins with "Measured:" is the
        quantity. What follows is the lesson. The function takes the settings and returns the quantity for
        each seed, or a mapping of circumstances to such numbers.

        Args:
            place: in the source, as "section 2.2, figure 3".
            reason, low, high: as for `Claim`.
            source: where it is another than the exhibit's.
            quantity: where several claims share it, and the docstring does not say it.
            budgets: for a claim about training, the name of a setting such as `steps=(1000, 3000)`. The
                function then takes a budget as its second argument, and is called for each.
            others: `otherwise`, `unit`, `is_ratio`, `is_identity`, `tried`, as for `Claim`.

        Raises:
            UsageError: for a second claim of the same name, an impossible range, or budgets that are not
                two, at least a factor of 3 apart.
        """
        source = self.source if source is None else source

        def add(measure: Decorated) -> Decorated:
            name = measure.__name__
            if name in {claim.name for claim, _ in self.claims}:
                raise UsageError(f"{self.name} has two claims called {name!r}")
            statement, measured, lesson = _texts(measure)
            claim = Claim(
                name=name,
                statement=statement,
                source=", ".join(text for text in (source, place) if text),
                quantity=measured or quantity,
                reason=reason,
                low=low,
                high=high,
                lesson=lesson,
                **others,
            )
            self.claims.append((claim, self._at_each(budgets, measure) if budgets else measure))
            return measure

        return add

    def _at_each(self, name: str, measure: Callable[..., Measured]) -> Measure:
        """A measurement that is taken at each budget of the setting of that name."""
        for settings in (self.settings, self.quick):
            budgets = getattr(settings, name)
            if not isinstance(budgets, tuple) or max(budgets) < 3 * min(budgets):
                raise UsageError(
                    f"{self.name}: {name} are {budgets}, not two budgets at least a factor of 3 apart"
                )
        word = name.rpartition("_")[2]

        @wraps(measure)
        def at_each(settings: Settings) -> Measured:
            measured: dict[tuple[str, str], Values] = {}
            for budget in getattr(settings, name):
                values = measure(settings, budget)
                for setting, each in values.items() if isinstance(values, Mapping) else [("", values)]:
                    measured[str(setting), f"after {budget} {word}"] = each
            return measured

        return at_each

    def figure(self, caption: str) -> Callable[[Draw], Draw]:
        """Decorate the function that draws a figure, in the package's style; its name is the file's.

        Args:
            caption: what is drawn, and what bands and marks mean.

        Raises:
            UsageError: where a figure or a table of this name is there already.
        """

        def add(draw: Draw) -> Draw:
            self._name_a_file(draw)
            self.pictures.append(Picture(draw.__name__, caption, styled(draw)))
            return draw

        return add

    def table(self, tolerance: float = 1e-6) -> Callable[[MakeRows], MakeRows]:
        """Decorate the function that gives the rows of a table; its name is the file's.

        Args:
            tolerance: how far a number may lie from the committed one on another processor.

        Raises:
            UsageError: where a figure or a table of this name is there already.
        """

        def add(rows: MakeRows) -> MakeRows:
            self._name_a_file(rows)
            self.tables.append(Table(rows.__name__, rows, tolerance))
            return rows

        return add

    def _name_a_file(self, function: Callable[..., Any]) -> None:
        """A figure has a table of its own name."""
        name = function.__name__
        if name in {*(picture.name for picture in self.pictures), *(table.name for table in self.tables)}:
            raise UsageError(f"{self.name} has two figures or tables called {name!r}")

    def run(self, results: str | Path = "results", quick: bool = False) -> list[Outcome]:
        """Measure and decide everything, and write figures, tables, claims and the page.

        Args:
            results: the folder of all exhibits; trainings are kept in its folder `training`.
            quick: whether the reduced form is meant, which goes into the folder `quick` of the results.

        Returns:
            The outcome of each claim.
        """
        from initlab.plotting.drawn import drawn
        from initlab.plotting.elements import pictures

        settings, folder = (self.quick if quick else self.settings), part_of(Path(results), quick)
        store = Store(folder, self.name)
        self._training, self._memory, self._machines = folder / "training", {}, []
        outcomes = [decide(_filled(claim, settings), measure(settings)) for claim, measure in self.claims]
        for picture in self.pictures:
            figure = picture.draw(settings)
            store.write_figure(picture.name, pictures(figure))
            header, points = drawn(figure)
            store.write_table(picture.name, header, [[_cell(v) for v in row] for row in points])
        for table in self.tables:
            rows = table.rows(settings)
            store.write_table(table.name, list(rows[0]), [[_cell(v) for v in row.values()] for row in rows])
        page = self._page(settings, outcomes, quick)
        store.write_text("claims.json", page.json())
        store.write_text("README.md", page.markdown())
        return outcomes

    def _page(self, settings: Settings, outcomes: Sequence[Outcome], quick: bool) -> Page:
        return Page(
            title=self.title,
            about=settings.fill(self.about),
            question=self.question,
            finding=settings.fill(self.finding),
            settings=settings,
            captions={picture.name: settings.fill(picture.caption) for picture in self.pictures},
            tables={table.name: table.tolerance for table in self.tables},
            outcomes=outcomes,
            machines=self._machines or [fingerprint()],
            quick=quick,
        )


def machines_of(results: Results) -> list[dict[str, Any]]:
    """The machines that trained the runs of an experiment, as far as it is known."""
    sessions, used = results.store.sessions(), set(results.store.runs.sessions().values())
    return [
        session["fingerprint"]
        for key, session in sessions.items()
        if key in used and "fingerprint" in session
    ]


def is_reduced(results: Path) -> bool:
    """Whether results are those of reduced forms, by the name of their folder.

    >>> is_reduced(Path("results/quick")), is_reduced(Path("results"))
    (True, False)
    """
    folder = results.resolve()
    return part_of(folder.parent, quick=True) == folder


def part_of(results: Path, quick: bool) -> Path:
    """The part of the results that holds the full or the reduced form of the exhibits."""
    return results / "quick" if quick else results


def _flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by name, those in groups too."""
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        flat |= value if isinstance(value, Mapping) else {name: value}
    return flat


def _filled(claim: Claim, settings: Settings) -> Claim:
    """The claim with its texts filled in from the settings."""
    texts = ("statement", "source", "quantity", "reason", "otherwise", "lesson")
    filled: dict[str, Any] = {name: settings.fill(getattr(claim, name)) for name in texts}
    return replace(claim, **filled, tried=tuple(map(settings.fill, claim.tried)))


def _texts(measure: Measure) -> tuple[str, str, str]:
    """Statement, quantity and lesson, as the docstring of a claim holds them."""
    statement, *others = (" ".join(text.split()) for text in (inspect.getdoc(measure) or "").split("\n\n"))
    quantity = next((text for text in others if text.startswith(_MEASURED)), "")
    lesson = "\n\n".join(text for text in others if text != quantity)
    return statement.removesuffix("."), quantity.removeprefix(_MEASURED).strip().removesuffix("."), lesson


_MEASURED = "Measured:"


def _cell(value: Any) -> Any:
    """A number of a table, to five digits."""
    return f"{value:.5g}" if isinstance(value, float) else value
