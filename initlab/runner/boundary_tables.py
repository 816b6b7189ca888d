"""Records of a search for a boundary -> where the outcome flips: rows, numbers over seeds, a text."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from initlab.measure.intervals import mean_interval, ratio_interval
from initlab.runner.boundary import Lattice, Outcome, flips, has_begun, sides
from initlab.runner.config import Experiment
from initlab.runner.grid import short_name
from initlab.runner.rounds import Records, Search, follow, label_of
from initlab.tables import Table, aligned

if TYPE_CHECKING:
    from initlab.plotting.boundary import Band, BandNames

UNDECIDED = "undecided"  # where every run failed


@dataclass(frozen=True, kw_only=True)
class Flip:
    """A flip of the outcome in one condition with one seed; or that there is none.

    Attributes:
        condition: in a few words.
        seed: of its runs.
        lower, upper: the values between which the outcome flips; None where it flips nowhere.
        holds: on which side of the flip the outcome holds, "above" or "below"; else "everywhere" or "nowhere"
            of all values that were tried, or "undecided".
        runs: that the search took, for all of its flips.
    """

    condition: str
    seed: int
    lower: float | None
    upper: float | None
    holds: str
    runs: int


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The same flip over the seeds of a condition.

    Attributes:
        condition: in a few words.
        settings: its swept values by dotted key.
        holds: as of `Flip`.
        flips: one for each seed that has it.
        seeds: how many seeds the condition has.
        median: of the middles of the flips; None where there is no flip.
        low, high: from where the 95 % Student interval of their lower ends begins, to where that of their
            upper ends ends; on a logarithmic scale, that of the logarithms. So an interval over seeds that
            agree is as wide as the resolution, and so is that of one seed. None where there is no flip.
    """

    condition: str
    settings: dict[str, Any]
    holds: str
    flips: tuple[Flip, ...]
    seeds: int
    median: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True)
class Boundaries:
    """The boundaries that an experiment found.

    Attributes:
        over: the dotted key of the setting on which they lie.
        of: the outcome that flips.
        lattice: the values that may be tried.
        flips: of each condition and seed, in the order of the sweep.
        summaries: over seeds.
        runs, grid: how many runs were used, and how many a grid of the same resolution has.
    """

    over: str
    of: str
    lattice: Lattice
    flips: list[Flip]
    summaries: list[Summary]
    runs: int
    grid: int

    @property
    def used(self) -> str:
        """How many runs were used, in words."""
        return f"runs used: {self.runs:,} of the {self.grid:,} of a grid"

    def row(self) -> dict[str, Any]:
        """All numbers, for programs."""
        return {
            "over": self.over,
            "of": self.of,
            "runs": self.runs,
            "grid_runs": self.grid,
            "conditions": [asdict(summary) for summary in self.summaries],
        }


def find_boundaries(experiment: Experiment, records: Records) -> Boundaries:
    """The boundaries as far as the records show them.

    A search whose first round is not complete has none yet.

    Args:
        experiment: with a boundary.
        records: by run id.
    """
    assert experiment.boundary is not None
    assert experiment.lattice is not None
    rounds, _ = follow(
        experiment, lambda runs: {run.id: records[run.id] for run in runs if run.id in records}
    )
    outcome, lattice = Outcome.parse(experiment.boundary.of), experiment.lattice
    of_condition: dict[str, list[tuple[Search, list[Flip]]]] = {}
    for search in rounds.searches:
        own = list(_flips(search, outcome, lattice, records))
        of_condition.setdefault(repr(search.condition), []).append((search, own))
    return Boundaries(
        over=experiment.boundary.over,
        of=outcome.text,
        lattice=lattice,
        flips=[flip for members in of_condition.values() for _, own in members for flip in own],
        summaries=[summary for members in of_condition.values() for summary in _summaries(members, lattice)],
        runs=sum(run.id in records for run in rounds.runs),
        grid=rounds.grid,
    )


def _flips(search: Search, outcome: Outcome, lattice: Lattice, records: Records) -> Iterator[Flip]:
    tried = search.tried(outcome, records)
    if not has_begun(lattice, tried):
        return
    own = flips(tried)
    answers = {answer for answer in tried.values() if answer is not None}
    alike = [{True: "everywhere", False: "nowhere"}[answer] for answer in answers] if len(answers) < 2 else []
    places: Sequence[tuple[int, int] | None] = own or [None]
    for place, holds in zip(places, sides(tried, own) or alike or [UNDECIDED], strict=True):
        lower, upper = (None, None) if place is None else (lattice.values[i] for i in place)
        yield Flip(
            condition=search.label,
            seed=search.seed,
            lower=lower,
            upper=upper,
            holds=holds,
            runs=len(tried),
        )


def _summaries(members: Sequence[tuple[Search, list[Flip]]], lattice: Lattice) -> Iterator[Summary]:
    """Over seeds, the first flips with the outcome above, the second ones, and so on."""
    groups: dict[tuple[str, int], list[Flip]] = {}
    for _, own in members:
        for i, flip in enumerate(own):
            earlier = sum(other.holds == flip.holds for other in own[:i])
            groups.setdefault((flip.holds, earlier), []).append(flip)
    for (holds, _), same in groups.items():
        yield Summary(
            condition=same[0].condition,
            settings=members[0][0].condition,
            holds=holds,
            flips=tuple(same),
            seeds=len(members),
            **_over_seeds(same, lattice),
        )


def _over_seeds(same: Sequence[Flip], lattice: Lattice) -> dict[str, float | None]:
    lower = [flip.lower for flip in same if flip.lower is not None]
    upper = [flip.upper for flip in same if flip.upper is not None]
    if not lower:
        return dict.fromkeys(("median", "low", "high"))
    interval = ratio_interval if lattice.is_log else mean_interval
    middles = [lattice.middle(*pair) for pair in zip(lower, upper, strict=True)]
    return {"median": median(middles), "low": interval(lower).low, "high": interval(upper).high}


def boundary_rows(boundaries: Boundaries) -> tuple[list[str], list[list[Any]]]:
    """Header and rows of `boundary.csv`: one for each flip of each condition and seed."""
    header = ["condition", "seed", "lower", "upper", "holds", "runs"]
    return header, [[getattr(flip, name) for name in header] for flip in boundaries.flips]


def boundary_table(boundaries: Boundaries) -> Table:
    """A header, and a row for each boundary of each condition: the median and the interval over seeds."""
    header = ["", f"{boundaries.of}:", f"boundary in {boundaries.over}", "95 % interval", "seeds"]
    rows = [
        [each.condition, each.holds, _shown(each.median), _span(each), f"{len(each.flips)} of {each.seeds}"]
        for each in boundaries.summaries
    ]
    return [header, *rows]


def boundary_text(boundaries: Boundaries, width: int | None = None) -> str:
    """The printed summary: the table, and the runs used.

    Args:
        boundaries: of an experiment.
        width: of the table, in cells of a terminal; see `tables.aligned`.
    """
    table = aligned(boundary_table(boundaries), width)
    return "\n".join([table, *_notes(boundaries), boundaries.used])


def _notes(boundaries: Boundaries) -> list[str]:
    """What it means that the outcome flips nowhere: a range between two values may have been missed."""
    if not {"everywhere", "nowhere"} & {summary.holds for summary in boundaries.summaries}:
        return []
    count = len(boundaries.lattice.first)
    return [f"everywhere, nowhere: at all or none of the {count} values tried; boundary.points sets more"]


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _span(summary: Summary) -> str:
    return "-" if summary.low is None else f"{summary.low:.3g} to {summary.high:.3g}"


def bands(boundaries: Boundaries) -> "list[Band]":
    """What a figure shows of the boundaries, by the first swept setting that has numbers alone."""
    from initlab.plotting.boundary import Band, Edge

    x = _numeric(boundaries)
    of_condition: dict[str, list[Summary]] = {}
    for summary in boundaries.summaries:
        of_condition.setdefault(repr(summary.settings), []).append(summary)
    return [
        Band(
            label=members[0].condition,
            x=members[0].settings[x] if x else None,
            group=label_of({key: value for key, value in members[0].settings.items() if key != x}),
            edges=tuple(
                Edge(
                    holds=each.holds, middle=each.median, low=each.low, high=each.high, seeds=len(each.flips)
                )
                for each in members
            ),
        )
        for members in of_condition.values()
    ]


def band_names(boundaries: Boundaries) -> "BandNames":
    """What that figure is about."""
    from initlab.plotting.boundary import BandNames

    values = boundaries.lattice.values
    return BandNames(
        outcome=boundaries.of,
        over=short_name(boundaries.over),
        x=short_name(_numeric(boundaries) or ""),
        between=(values[0], values[-1]),
        is_log=boundaries.lattice.is_log,
        seeds=max((summary.seeds for summary in boundaries.summaries), default=1),
    )


def _numeric(boundaries: Boundaries) -> str | None:
    """The first swept setting with several values, all of them numbers."""
    settings = [summary.settings for summary in boundaries.summaries]
    values = {key: [each[key] for each in settings] for key in (settings[0] if settings else {})}
    return next((key for key in values if _is_scale(values[key])), None)


def _is_scale(values: Sequence[Any]) -> bool:
    return all(type(value) in (int, float) for value in values) and len(set(values)) > 1
