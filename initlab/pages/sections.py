"""Sections of a page: the results of an experiment -> charts, tables, diagnoses, config and origin."""

import hashlib
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from initlab.diagnosis.verdict import Diagnosis
from initlab.errors import UsageError
from initlab.pages.charts import Chart, accuracy_chart, layer_chart, loss_chart
from initlab.pages.pictures import figure_picture
from initlab.pages.sentences import compared, outcomes
from initlab.pages.tables import PageTable
from initlab.plotting.loss import finding
from initlab.runner.boundary_tables import boundary_table
from initlab.runner.cases import cases_of
from initlab.runner.columns import columns, flattened
from initlab.runner.results import Results
from initlab.runner.tables import group_rows, summary_rows, tracked_rows
from initlab.runner.untrained import check_histogram, draw_histogram
from initlab.runner.yaml_text import write_yaml
from initlab.training.histories import Histories
from initlab.training.history import Condition
from initlab.training.tables import condition_table

_SAMPLES, _SEEDS = 300, 5  # of a diagnosis, as of `initlab diagnose`
_MOST_DIAGNOSES = 8  # each takes up to some seconds
_MOST_ROWS = 2000  # of a table, about 200 kB
_CURVE_ROWS = 12  # of the table of a curve: enough to follow it without seeing it


@dataclass(frozen=True, kw_only=True)
class Section:
    """An experiment on the page, or what several have in common.

    Attributes:
        name, description: of the experiment.
        sentences: what was compared, how the runs ended, and what was found; computed.
        tables: open ones before the charts, folded ones behind them.
        charts: of the results.
        histogram: of the layers before training, a `data:` address; empty where there is none.
        no_histogram: why not.
        diagnoses: of the different networks before training, each with its title.
        diagnosed: how they were made, and how many are left out.
        origin: where and by what the runs were trained.
        config: that states every value.
        again: the command that trains it anew.
    """

    name: str
    description: str = ""
    sentences: Sequence[str]
    tables: Sequence[PageTable]
    charts: Sequence[Chart]
    histogram: str = ""
    no_histogram: str = ""
    diagnoses: Sequence[tuple[str, Diagnosis]] = ()
    diagnosed: str = ""
    origin: PageTable | None = None
    config: str = ""
    again: str = ""


def section(results: Results) -> Section:
    """The section of an experiment.

    Args:
        results: of it.
    """
    conditions = _with_histories(results.conditions)
    charts = _charts(conditions)
    histogram, no_histogram = _histogram(results)
    diagnoses, diagnosed = _diagnoses(results)
    name = results.experiment.name
    return Section(
        name=name,
        description=results.experiment.description,
        sentences=[
            compared(results),
            outcomes(results),
            *([f"{finding(conditions)}."] if conditions else []),
        ],
        tables=list(_tables(results, charts)),
        charts=charts,
        histogram=histogram,
        no_histogram=no_histogram,
        diagnoses=diagnoses,
        diagnosed=diagnosed,
        origin=_origin(results),
        config=write_yaml(results.experiment.resolved()),
        again=f"initlab run {shlex.quote(f'{name}.yaml')}",
    )


def histories_section(histories: Histories) -> Section:
    """The section of networks that were trained without a config; what they are is not known.

    Args:
        histories: of `train`.
    """
    conditions = histories.conditions()
    charts = _charts(conditions)
    header, *rows = condition_table(conditions)
    runs = [history.row() for history in histories]
    return Section(
        name="Training",
        sentences=[f"{finding(conditions)}."],
        tables=[
            _table("Results", ["condition", *header[1:]], rows, folded=False),
            _table("Networks", list(runs[0]), [list(run.values()) for run in runs]),
            *(_curve_table(chart) for chart in charts if chart.kind == "curves"),
        ],
        charts=charts,
    )


def side_by_side(results: Sequence[Results]) -> Section:
    """What several experiments differ in, and the curves of all in one chart.

    Args:
        results: of two experiments or more.
    """
    named = [(each, condition) for each in results for condition in each.conditions]
    conditions = [
        replace(condition, label=f"{each.experiment.name}: {condition.label}") for each, condition in named
    ]
    shown = _with_histories(conditions)
    table = _conditions_table([each for each in results for _ in each.groups], results)
    return Section(
        name="Side by side",
        sentences=[f"{finding(shown)}."] if shown else [],
        tables=[table, _differences(results)],
        charts=_charts(shown, layers=False),
    )


def _with_histories(conditions: Sequence[Condition]) -> list[Condition]:
    return [condition for condition in conditions if condition.histories]


def _charts(conditions: Sequence[Condition], *, layers: bool = True) -> list[Chart]:
    if not conditions:
        return []
    more = [layer_chart(conditions)] if layers else []
    charts = [loss_chart(conditions), accuracy_chart(conditions), *more]
    return [chart for chart in charts if chart is not None]


def _histogram(results: Results) -> tuple[str, str]:
    """The picture, or why there is none."""
    try:
        check_histogram(results.experiment)
        return figure_picture(lambda: draw_histogram(results.experiment)), ""
    except UsageError as error:
        return "", f"{error}."


def _diagnoses(results: Results) -> tuple[list[tuple[str, Diagnosis]], str]:
    """The diagnoses with their titles, and how they were made; networks without hidden layers have none."""
    cases = [case for case in cases_of(results.experiment) if case.hidden]
    diagnoses: list[tuple[str, Diagnosis]] = []
    notes = [f"Medians of {_SEEDS} untrained networks over {_SAMPLES} training examples."] if cases else []
    if len(cases) > _MOST_DIAGNOSES:
        notes.append(f"The first {_MOST_DIAGNOSES} of {len(cases)} networks.")
    for case in cases[:_MOST_DIAGNOSES]:
        try:
            diagnosis = case.diagnosis(_SAMPLES, _SEEDS)
            title = ": ".join(filter(None, (case.label, diagnosis.headline())))
            diagnoses.append((title, diagnosis))
        except UsageError as error:
            notes.append(f"{case.start}: {error}.")
    return diagnoses, " ".join(notes)


def _tables(results: Results, charts: Sequence[Chart]) -> Iterator[PageTable]:
    yield _conditions_table([results] * len(results.groups), [results])
    if results.boundaries is not None:
        header, *rows = boundary_table(results.boundaries)
        yield _table("Where the outcome flips", header, rows, folded=False)
    yield _table("Numbers of each condition", *summary_rows(results.groups), file="summary.csv")
    runs = list(results.rows())
    header = list(dict.fromkeys(key for row in runs for key in row))
    yield _table("Runs", header, [[row.get(key) for key in header] for row in runs])
    yield from map(_curve_table, (chart for chart in charts if chart.kind == "curves"))
    header, rows = tracked_rows(results.conditions)
    if rows:
        yield _table("Tracked layers", header, rows, file="layers.csv")


def _table(
    title: str, header: Sequence[str], rows: Sequence[Sequence[Any]], *, file: str = "", folded: bool = True
) -> PageTable:
    """A table of at most so many rows, which says where the others are."""
    more = f"; {file} has all" if file else ""
    note = f"The first {_MOST_ROWS:,} of {len(rows):,} rows{more}." if len(rows) > _MOST_ROWS else ""
    return PageTable(title=title, header=header, rows=rows[:_MOST_ROWS], note=note, folded=folded)


def _conditions_table(owners: Sequence[Results], results: Sequence[Results]) -> PageTable:
    """Final losses and accuracies of each condition; of several experiments, with their names."""
    parts = [group_rows(each.groups) for each in results]
    header = max((part[0] for part in parts), key=len)
    rows = [[*row, *[""] * (len(header) - len(row))] for part in parts for row in part[1:]]
    header = ["condition", *header[1:]]
    if len(results) > 1:
        header = ["experiment", *header]
        rows = [[each.experiment.name, *row] for each, row in zip(owners, rows, strict=True)]
    note = "± is the half width of the 95 % Student interval of the mean over the seeds that finished."
    return PageTable(title="Results", header=header, rows=rows, note=note, folded=False)


def _differences(results: Sequence[Results]) -> PageTable:
    """The settings in which the experiments differ, with the values of their runs."""
    settings = [_values(each) for each in results]
    keys = list(dict.fromkeys(key for each in settings for key in each))
    rows = [[key, *(each.get(key, "-") for each in settings)] for key in keys]
    differing = [row for row in rows if len(set(row[1:])) > 1]
    header = ["setting", *(each.experiment.name for each in results)]
    note = "" if differing else "The experiments have the same settings."
    return PageTable(title="Settings that differ", header=header, rows=differing, note=note, folded=False)


def _values(results: Results) -> dict[str, str]:
    values: dict[str, dict[str, None]] = {}
    for run in results.runs:
        for key, value in {**dict(flattened(run.identity)), **columns(run.identity)}.items():
            values.setdefault(key, {})[str(value)] = None
    return {key: ", ".join(texts) for key, texts in values.items() if key != "algorithm"}


def _curve_table(chart: Chart) -> PageTable:
    """A few points of each curve of each view."""
    rows = [row for view in chart.views for curve in view.curves for row in _points(chart, view.name, curve)]
    table = _table(f"Points of the chart: {chart.title}", ["quantity", "condition", *_COLUMNS], rows)
    note = "Mean, smallest and largest value over the seeds that finished, at some of the steps."
    return replace(table, note=f"{note} {table.note}".strip())


def _points(chart: Chart, name: str, curve: dict[str, Any]) -> Iterator[list[Any]]:
    every = max(1, (len(curve["step"]) - 1) // (_CURVE_ROWS - 1))
    for values in zip(*(curve[column][::every] for column in _COLUMNS), strict=True):
        yield [name, chart.labels[curve["c"]], *values]


_COLUMNS = ("step", "mean", "low", "high")


def _origin(results: Results) -> PageTable:
    """Where and by what the runs were trained, without the name of the machine: a column for each session."""
    sessions, session_of = results.store.sessions(), results.store.runs.sessions()
    counts = Counter(session_of.get(run.id, "") for run in results.runs)
    keys = sorted(counts)
    columns = [_session_facts(sessions.get(key, {})) for key in keys]
    rows = [[fact, *(column[fact] for column in columns)] for fact in columns[0]]
    header = ["fact", *(f"{counts[key]:,} run{'s' * (counts[key] != 1)}" for key in keys)]
    return _table("Origin", header, rows)


def _session_facts(session: dict[str, Any]) -> dict[str, Any]:
    fingerprint = session.get("fingerprint")
    machine = fingerprint if isinstance(fingerprint, dict) else {}
    blas = machine.get("blas")
    return {
        "trained": session.get("started", "unknown"),
        "initlab": session.get("initlab"),
        "Python": session.get("python"),
        "NumPy": machine.get("numpy"),
        "BLAS": ", ".join(map(str, blas)) if isinstance(blas, list) else blas,
        "processor": machine.get("processor"),
        "cores": session.get("cores"),
        "system": session.get("system"),
        "commit": session.get("git_commit"),
        "changed since": _digest(session.get("git_diff")),
        "command": _command(session.get("command")),
    }


def _digest(diff: Any) -> str | None:
    """A digest of the changes since the commit; their text may be long, and private."""
    if not isinstance(diff, str):
        return None
    return f"sha256 {hashlib.sha256(diff.encode()).hexdigest()[:16]}" if diff else "nothing"


def _command(words: Any) -> str | None:
    """The command without the folder of the program."""
    return shlex.join(["initlab", *map(str, words[1:])]) if isinstance(words, list) else None
