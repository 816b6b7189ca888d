"""Results of experiments -> the cells of a figure of a sweep, by the names of their settings."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from initlab.errors import UsageError, require, unknown_name
from initlab.runner.columns import columns
from initlab.runner.config import Experiment
from initlab.runner.grid import Run, expand, init_text, short_name, swept_text
from initlab.runner.record import Record
from initlab.runner.results import Results
from initlab.runner.yaml_text import read_scalar

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from initlab.plotting.sweep import Cell, Names

RESULTS = ("test_accuracy", "test_loss", "final_loss")
EXPERIMENT = "experiment"  # a setting, where several experiments stand in one figure


@dataclass(frozen=True, kw_only=True)
class Plot:
    """What a figure of a sweep shows.

    A setting is named by its dotted key, as `network.depth`, or by the end of it, as `depth`.

    Attributes:
        x: the setting on the horizontal axis.
        y: the result: test_accuracy, test_loss or final_loss.
        color: the setting whose values are lines.
        heat: the setting on the vertical axis of a map, in the place of lines.
        only: the values that other settings must have, by key.
        log: the axes that are logarithmic, as "x" or "xy".
        title: of the figure; by default, what it shows.
    """

    x: str
    y: str = "test_accuracy"
    color: str = ""
    heat: str = ""
    only: Mapping[str, str] = field(default_factory=dict)
    log: str = ""
    title: str | None = None


def plot(results: Sequence[Results], chosen: Plot) -> "Figure":
    """A figure of the results of one or more experiments.

    Args:
        results: of the experiments.
        chosen: what it shows.

    Raises:
        UsageError: for an unknown setting or result, for no runs, or where runs that differ in a further
            setting would fall together.
    """
    from initlab.plotting.sweep import lines_figure, map_figure

    rows = [row for each in results for row in rows_of(each)]
    values, names = _arranged(rows, [each.experiment for each in results], chosen)
    if chosen.heat:
        return map_figure(values, names, chosen.title)
    return lines_figure(values, names, chosen.log, chosen.title)


def check_plot(experiment: Experiment, chosen: Plot) -> None:
    """Refuse a figure that cannot be drawn of an experiment, before its runs are trained.

    Args:
        experiment: what will be trained.
        chosen: what the figure shows.

    Raises:
        UsageError: as for `plot`.
    """
    _arranged(list(_rows(experiment, expand(experiment), {})), [experiment], chosen)


def _arranged(
    rows: list[dict[str, Any]], experiments: Sequence[Experiment], chosen: Plot
) -> "tuple[list[Cell], Names]":
    from initlab.plotting.sweep import Names

    require(chosen.y in RESULTS, unknown_name("result", chosen.y, RESULTS))
    require(not (chosen.color and chosen.heat), "give color or heat, not both")
    require(set(chosen.log) <= set("xy"), f"log is x, y or xy, not {chosen.log!r}")
    require(not (chosen.heat and chosen.log), "a map has no logarithmic axes: leave log out")
    rows, swept = _selected(rows, experiments, chosen.only)
    x = _key(chosen.x, rows, swept)
    group = chosen.color or chosen.heat
    key = _key(group, rows, swept) if group else _only_other(swept, x)
    for place in filter(None, (x, key)):
        missing = [str(row["init"]) for row in rows if row.get(place) is None and place not in swept]
        require(not missing, f"{place} is nothing that all runs have, as that of {', '.join(missing[:1])}")
    values = cells(rows, x, chosen.y, key, [name for name in swept if name not in (x, key)])
    return values, Names(x=short_name(x), y=chosen.y.replace("_", " "), group=short_name(key or ""))


def rows_of(results: Results) -> Iterator[dict[str, Any]]:
    """Settings and results of each run by dotted key; a scheme by its label, or as it was written."""
    return _rows(results.experiment, results.runs, results.records)


def _rows(
    experiment: Experiment, runs: Sequence[Run], records: Mapping[str, Record]
) -> Iterator[dict[str, Any]]:
    written = experiment.written()
    for run in runs:
        values = written.get(id(run.settings), {})
        init = values.get("init", run.settings.init.label or str(run.settings.init.scheme))
        yield {
            **columns(run.identity),
            **{key: swept_text(value) for key, value in values.items() if isinstance(value, dict)},
            "init": init_text(init),
            EXPERIMENT: experiment.name,
            **(records[run.id].numbers() if records else dict.fromkeys(RESULTS)),
        }


def _selected(
    rows: list[dict[str, Any]], experiments: Sequence[Experiment], only: Mapping[str, str]
) -> tuple[list[dict[str, Any]], list[str]]:
    """The rows with the values that are asked for, and the settings in which these still differ."""
    axes = [axis for experiment in experiments for axis in experiment.axes]
    names = dict.fromkeys([*(key for axis in axes for key in axis.keys if key != "seed"), EXPERIMENT])
    for name, text in only.items():
        key = _key(name, rows, list(names))
        wanted = (text, read_scalar(text))
        values = dict.fromkeys(str(row.get(key)) for row in rows)
        rows = [row for row in rows if row.get(key) in wanted or str(row.get(key)) == text]
        require(bool(rows), f"no run has {key}={text}; there are {', '.join(values)}")
    return rows, [name for name in names if len({str(row.get(name)) for row in rows}) > 1]


def _key(name: str, rows: Sequence[Mapping[str, Any]], swept: Sequence[str]) -> str:
    """The setting that a name or its end stands for."""
    keys = dict.fromkeys(key for row in rows for key in row)
    matching = [name] if name in keys else [key for key in keys if key.endswith(f".{name}")]
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise UsageError(f"{name!r} may be {' or '.join(matching)}; write it in full")
    raise UsageError(unknown_name("setting", name, {key.rsplit(".", 1)[-1] for key in swept or keys}))


def _only_other(swept: Sequence[str], x: str) -> str | None:
    """The setting that must be the lines, where one besides x was swept."""
    others = [key for key in swept if key != x]
    return others[0] if len(others) == 1 else None


def cells(
    rows: Sequence[Mapping[str, Any]], x: str, y: str, group: str | None, others: Sequence[str] = ()
) -> "list[Cell]":
    """Group rows by x and group.

    Args:
        rows: settings and results of each run.
        x, y, group: the names of the settings and of the result.
        others: settings that must be the same for all runs of a cell.

    Raises:
        UsageError: when they are not.
    """
    from initlab.plotting.sweep import Cell

    together: dict[tuple[Any, Any], list[Mapping[str, Any]]] = {}
    for row in rows:
        together.setdefault((row.get(x), row.get(group) if group else None), []).append(row)
    for members in together.values():
        for key in others:
            values = list(dict.fromkeys(str(row.get(key)) for row in members))
            if len(values) > 1:
                some = f"only {key}={values[0]}"
                raise UsageError(f"the runs also differ in {key}: draw it as color or heat, or {some}")
    return [
        Cell(
            x=at,
            group=line,
            scheme=str(members[0].get("init.scheme", "")) if group == "init" else "",
            values=tuple(row[y] for row in members if row[y] is not None),
            runs=len(members),
        )
        for (at, line), members in together.items()
    ]


def read_only(texts: Sequence[str]) -> dict[str, str]:
    """The values by key of texts like `init=he`; empty texts are left out.

    Raises:
        UsageError: for a text of another form.

    >>> read_only(["init=he", "depth=3"])
    {'init': 'he', 'depth': '3'}
    """
    pairs = [text.partition("=") for text in texts if text]
    if not all(key and value for key, _, value in pairs):
        raise UsageError("only is written KEY=VALUE, as init=he")
    return {key.strip(): value.strip() for key, _, value in pairs}
