"""The report of experiments: their results -> one HTML file to look at and to pass on."""

from collections.abc import Sequence
from pathlib import Path

from initlab.errors import StorageError, require
from initlab.files import write_shared
from initlab.pages.extra import require_extra
from initlab.runner.results import Results, load_results

NEEDS = ("a report", "jinja2", "vl_convert")


def report(
    results: Results | str | Path | Sequence[Results | str | Path], target: str | Path | None = None
) -> str:
    """One HTML page of an experiment, or of several side by side: charts, tables, diagnoses, config, origin.

    Args:
        results: of `run_experiment` or `load_results`, or an experiment's folder, as "results/mnist"; or a
            list of these.
        target: the file to write, in an existing folder; none by default.

    Returns:
        The text of the page. The same results give the same text.

    Raises:
        UsageError: without the packages of the extra `report`, or with no results.
        StorageError: when the file cannot be written.

    >>> report([])
    Traceback (most recent call last):
        ...
    initlab.errors.UsageError: a report needs the results of an experiment, as in report("results/mnist")
    """
    given = [results] if isinstance(results, Results | str | Path) else list(results)
    require(bool(given), 'a report needs the results of an experiment, as in report("results/mnist")')
    require_extra(*NEEDS)
    loaded = [each if isinstance(each, Results) else load_results(each) for each in given]
    text = _page(loaded)
    if target is not None:
        _write(Path(target), text)
    return text


def _page(loaded: Sequence[Results]) -> str:
    from markupsafe import Markup

    from initlab.pages.html import json_text, own_text, page
    from initlab.pages.sections import section, side_by_side
    from initlab.pages.vega import vega

    sections = [*([side_by_side(loaded)] if len(loaded) > 1 else []), *map(section, loaded)]
    charts = [chart.data() for each in sections for chart in each.charts]
    return page(
        "report.html",
        styles=["report.css"],
        scripts=[vega(), own_text("report.js")],
        images="data:",
        title=" and ".join(each.experiment.name for each in loaded),
        sections=sections,
        data=Markup(json_text(charts)),
    )


def _write(target: Path, page: str) -> None:
    try:
        write_shared(target, page.encode())
    except OSError as error:
        raise StorageError(f"{target}: cannot write: {error.strerror or error}") from error
