"""The report of experiments: their results -> one HTML file to look at and to pass on."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from initlab.errors import StorageError, require
from initlab.files import write_shared
from initlab.pages.extra import require_extra
from initlab.runner.results import Results, load_results
from initlab.training.histories import Histories

if TYPE_CHECKING:
    from initlab.pages.sections import Section

Given = Results | str | Path

NEEDS = ("a report", "jinja2", "vl_convert")


class Page(str):
    """The text of a page, which a notebook shows in a frame of its own."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<page of {len(self.encode()):,} bytes; str(...) is its text>"

    def _repr_html_(self) -> str:
        # Without "allow-same-origin" its scripts reach neither the notebook nor its server.
        frame = 'sandbox="allow-scripts" width="100%" height="800" style="border: 0" title="Report"'
        return f'<iframe {frame} srcdoc="{escape(str(self))}"></iframe>'


def report(results: Given | Histories | Sequence[Given], target: str | Path | None = None) -> Page:
    """One HTML page of an experiment, or of several side by side: charts, tables, diagnoses, config, origin.

    Args:
        results: of `run_experiment` or `load_results`, or an experiment's folder, as "results/mnist"; or a
            list of these. Or the histories of `train`, whose page has the charts and tables.
        target: the file to write, in an existing folder; none by default.

    Returns:
        The text of the page, which a notebook shows. The same results give the same text.

    Raises:
        UsageError: without the packages of the extra `report`, or with no results.
        StorageError: when the file cannot be written.

    >>> report([])
    Traceback (most recent call last):
        ...
    initlab.errors.UsageError: a report needs the results of an experiment, as in report("results/mnist")
    """
    require(
        not isinstance(results, Sequence) or len(results) > 0,
        'a report needs the results of an experiment, as in report("results/mnist")',
    )
    require_extra(*NEEDS)
    page = _histories_page(results) if isinstance(results, Histories) else _results_page(results)
    if target is not None:
        write(Path(target), page)
    return page


def _histories_page(histories: Histories) -> Page:
    from initlab.pages.sections import histories_section

    return _page("Training", [histories_section(histories)])


def _results_page(results: Given | Sequence[Given]) -> Page:
    from initlab.pages.sections import section, side_by_side

    given = [results] if isinstance(results, Results | str | Path) else list(results)
    loaded = [each if isinstance(each, Results) else load_results(each) for each in given]
    together = [side_by_side(loaded)] if len(loaded) > 1 else []
    names = " and ".join(each.experiment.name for each in loaded)
    return _page(f"Results of {names}", [*together, *map(section, loaded)])


def _page(title: str, sections: "Sequence[Section]") -> Page:
    from markupsafe import Markup

    from initlab.pages.html import json_text, own_text, page
    from initlab.pages.specifications import DASHES, SYMBOLS
    from initlab.pages.vega import vega

    charts = [chart.data() for each in sections for chart in each.charts]
    text = page(
        "report.html",
        styles=["report.css"],
        scripts=[vega(), own_text("report.js")],
        images="data:",
        title=title,
        sections=sections,
        symbols=SYMBOLS,
        dashes=DASHES,
        data=Markup(json_text(charts)),
    )
    return Page(text)


def write(target: Path, page: str) -> None:
    """Write a page.

    Args:
        target: in an existing folder.
        page: its text.

    Raises:
        StorageError: when it cannot be written.
    """
    try:
        write_shared(target, page.encode())
    except OSError as error:
        raise StorageError(f"{target}: cannot write: {error.strerror or error}") from error
