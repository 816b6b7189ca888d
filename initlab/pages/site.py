"""The gallery as a site: published results -> a folder of pages that open from disk and ask no network.

index.html              the questions with their experiments, and all claims
sources.html            what the sources say, and the claims that check it
<experiment>/           index.html, its figures, its tables, and its claims.json
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from initlab.errors import require
from initlab.gallery.exhibit import is_reduced
from initlab.gallery.pages import QUESTIONS, introduction
from initlab.gallery.record import read_records
from initlab.gallery.reproduce import SOURCES, experiments, experiments_folder, with_claims
from initlab.gallery.sources import Source, read_sources
from initlab.pages.exhibits import Shown, read_exhibit
from initlab.pages.extra import require_extra
from initlab.pages.folder import earlier_files, write_folder
from initlab.pages.html import own_text, page
from initlab.pages.site_parts import (
    VERDICTS,
    Asked,
    Group,
    Row,
    Sentence,
    asked_by,
    counts,
    findings,
    grouped,
    rows,
    settings,
    statements,
)

NEEDS = ("a site", "jinja2")
Frame = Mapping[str, Any]  # what a template shows besides its subject


def site(target: str | Path = "site", results: str | Path = "results") -> Path:
    """The gallery as a folder of pages: all claims, what the sources say, and a page for each experiment.

    Where nothing has been reproduced into the results yet, these are the published ones.

    Args:
        target: the folder to write. Files that an earlier site wrote into it are replaced or removed, all
            others stay.
        results: the folder that holds a folder for each experiment.

    Returns:
        The first page. The same results give the same pages.

    Raises:
        UsageError: without the package of the extra `report`, or for results without claims.
        StorageError: when results are not what they should be, when the folder holds somebody's files, or
            when it cannot be written.

    >>> site("initlab/__init__.py")
    Traceback (most recent call last):
        ...
    initlab.errors.StorageError: initlab/__init__.py: is a file; a site is a folder
    """
    require_extra(*NEEDS)
    folder = Path(target)
    earlier_files(folder)  # what is wrong with it is told before the work
    write_folder(folder, site_files(Path(results)))
    return folder / "index.html"


def site_files(results: Path) -> dict[str, bytes]:
    """The files of the site by their names.

    Args:
        results: the folder that holds a folder for each experiment.

    Raises:
        StorageError: when results are not what they should be.
        UsageError: when there are none, or for sources that name a claim that no experiment has.
    """
    source, scripts = with_claims(results), experiments_folder()
    records, paths = read_records(source), experiments(scripts)
    require(bool(records), f"{results}: holds no claims; `initlab reproduce` makes some")
    exhibits = [read_exhibit(source, name, record, paths.get(name)) for name, record in records.items()]
    texts = read_sources(scripts / SOURCES)
    groups = grouped(exhibits, QUESTIONS, "Written by an earlier version")
    beside = {f"{each.name}/{name}": content for each in exhibits for name, content in each.files.items()}
    return {name: text.encode() for name, text in _pages(groups, texts, is_reduced(source))} | beside


def _pages(groups: Sequence[Group], texts: Mapping[str, Source], reduced: bool) -> Iterator[tuple[str, str]]:
    """Each page by its name."""
    sentences = statements(texts, {each.name: each.record for group in groups for each in group.exhibits})
    asked = asked_by(statement for each in sentences for statement in each)
    frame = {"reduced": reduced, "has_sources": bool(texts)}
    every = rows(groups, asked)
    yield (
        "index.html",
        _index(groups, every, {each[0].source: each[0].title for each in sentences if each}, frame),
    )
    if texts:
        yield "sources.html", _sources(every, list(zip(texts.values(), sentences, strict=True)), frame)
    for group, exhibit, previous, following in _neighbours(groups):
        neighbours = {"group": group, "previous": previous, "following": following}
        yield f"{exhibit.name}/index.html", _exhibit(exhibit, asked, {**frame, **neighbours})


def _index(groups: Sequence[Group], every: Sequence[Row], texts: Mapping[str, str], frame: Frame) -> str:
    about, *more = introduction([row.claim.model_dump() for row in every]).split("\n\n")
    return _page(
        "site_index.html",
        {**frame, "groups": groups, "rows": every, "texts": texts, "about": about, "more": more},
        scripts=[own_text("site.js")],
        origins=sorted({row.sources[0] for row in every}, key=str.casefold),
        verdicts=VERDICTS,
        counts=counts,
    )


def _sources(every: Sequence[Row], texts: Sequence[tuple[Source, Sequence[Sentence]]], frame: Frame) -> str:
    claims = {(row.exhibit.name, row.claim.name): row.claim for row in every}
    return _page("site_sources.html", frame, texts=texts, claims=claims)


def _exhibit(exhibit: Shown, asked: Asked, frame: Frame) -> str:
    return _page(
        "site_exhibit.html",
        {**frame, "root": "../"},
        each=exhibit,
        asked=asked,
        counts=counts,
        findings=findings,
        settings=settings,
    )


def _neighbours(groups: Sequence[Group]) -> Iterator[tuple[Group, Shown, Shown | None, Shown | None]]:
    """Each exhibit with its question, the one before it, and the one after it."""
    pairs = [(group, exhibit) for group in groups for exhibit in group.exhibits]
    ordered = [None, *(exhibit for _, exhibit in pairs), None]
    for place, (group, exhibit) in enumerate(pairs):
        yield group, exhibit, ordered[place], ordered[place + 2]


def _page(template: str, frame: Frame, *, scripts: Sequence[str] = (), **values: Any) -> str:
    all_values = {"root": "", **frame, **values}
    return page(template, styles=["site.css"], scripts=scripts, images="'self'", **all_values)
