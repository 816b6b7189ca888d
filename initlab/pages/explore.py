"""The explorer: a grid of schemes and networks -> one HTML page with sliders, computed beforehand.

grid -> a task for each shape, in processes -> points -> packed into the page -> explore.js shows one
"""

import gzip
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from initlab.diagnosis.limits import FACTOR_LIMIT, FACTORS, LAYER_NUMBERS
from initlab.errors import UsageError
from initlab.init.scheme import Scheme
from initlab.pages.grid import DEEPEST, WIDEST, Grid, Shape, sigma_w2
from initlab.pages.html import filled, json_text, source
from initlab.pages.lessons import LESSONS, outcome
from initlab.pages.points import Point, nested, points, three
from initlab.pages.report import Page, write
from initlab.runner.executors import open_processes
from initlab.theory.explain import outlook

Progress = Callable[[int, int], None]
_SIGMA_W2 = np.logspace(-3, 2.5, 34)


def explore(
    target: str | Path | None = None,
    *,
    grid: Grid | None = None,
    jobs: int = 0,
    progress: Progress | None = None,
) -> Page:
    """A page to play with: sliders for the scheme, its scale and the network; layers, verdict and training.

    Args:
        target: the file to write, in an existing folder; none by default.
        grid: of the settings; by default that of the command, which takes some minutes of one core.
        jobs: worker processes; with 0 everything is computed in this process.
        progress: called with the settings that are done, and all.

    Returns:
        The text of the page, which a notebook shows. The same grid gives the same text on the same machine.

    Raises:
        UsageError: without the package of the extra `report`.
        StorageError: when the file cannot be written.
    """
    require_extra()
    page = Page(explored(grid, jobs=jobs, progress=progress).page())
    if target is not None:
        write(Path(target), page)
    return page


@dataclass(frozen=True, kw_only=True)
class Explored:
    """The numbers of a page.

    Attributes:
        grid: of its settings.
        columns: for each shape the points of all schemes.
        curves: for each activation how deep networks can be trained by theory.
    """

    grid: Grid
    columns: dict[Shape, list[Point]]
    curves: dict[str, list[Point]]

    def page(self, *, server: bool = False) -> str:
        """The text of the page.

        Args:
            server: whether the page asks its server for settings off the grid; see `explore_server`.
        """
        lessons = [(lesson, outcome(lesson, self.grid, self.columns)) for lesson in LESSONS]
        return filled(
            "explore.html",
            styles=["report.css", "explore.css"],
            scripts=[source("drawing.js"), source("explore.js")],
            data=packed(self.data()),
            connects=server,
            server=server,
            deepest=DEEPEST,
            widest=WIDEST,
            networks=len(self.columns) * len(self.grid.schemes),
            lessons=[(lesson, words) for lesson, words in lessons if words],
            limit=FACTOR_LIMIT,
            numbers={name: LAYER_NUMBERS[name] for name in FACTORS},
        )

    def data(self) -> Point:
        """All that the script reads."""
        grid = self.grid
        return {
            "families": [vars(family) for family in grid.families],
            "activations": grid.activations,
            "depths": grid.depths,
            "widths": grid.widths,
            "skips": grid.skips,
            "written": [str(Scheme.parse(scheme)) for scheme in grid.schemes],
            "sigma_w2": [
                [three(sigma_w2(scheme, width)) for scheme in grid.schemes] for width in grid.widths
            ],
            "trainable": self.curves,
            "limit": three(FACTOR_LIMIT),
            "measuring": vars(grid.measuring),
            "commands": commands(grid),
            "points": nested(self.columns.values(), grid),
        }


def require_extra() -> None:
    """Refuse a page where the package that it needs is not installed.

    Raises:
        UsageError: which says how to install it.
    """
    try:
        import jinja2  # noqa: F401
    except ImportError:
        raise UsageError("the explorer needs Jinja2: pip install 'initlab[report]'") from None


def explored(grid: Grid | None = None, *, jobs: int = 0, progress: Progress | None = None) -> Explored:
    """The numbers of all settings of a grid.

    Args:
        grid: of the settings; by default that of the command.
        jobs: worker processes; with 0 everything is computed in this process.
        progress: called with the settings that are done, and all.
    """
    grid = grid or Grid()
    shapes, schemes = list(grid.shapes()), grid.schemes
    with open_processes(jobs) as executor:
        theory = {name: executor.submit(trainable_depths, name) for name in grid.activations}
        # The longest first, so that no worker is left with one at the end.
        longest = sorted(shapes, key=lambda shape: -shape.depth * shape.width)
        tasks = {shape: executor.submit(points, schemes, shape, grid.measuring) for shape in longest}
        for done, task in enumerate(as_completed(tasks.values()), start=1):
            task.result()
            if progress is not None:
                progress(done * len(schemes), len(shapes) * len(schemes))
        return Explored(
            grid=grid,
            columns={shape: tasks[shape].result() for shape in shapes},
            curves={name: task.result() for name, task in theory.items()},
        )


def trainable_depths(activation: str) -> list[Point]:
    """How deep networks can be trained by theory, over `sigma_w^2 = n Var W`; see `outlook`.

    Args:
        activation: its name.
    """
    critical = outlook(activation, 1.0).critical
    values = [*map(float, _SIGMA_W2), *([critical] if critical else [])]
    return [
        {"sigma_w2": three(value), "depth": three(outlook(activation, value).deepest)}
        for value in sorted(values)
    ]


def commands(grid: Grid) -> list[str]:
    """The commands that print the numbers of a point; `{scheme}` and so on stand for its setting.

    Args:
        grid: that says how points are measured.
    """
    how = grid.measuring
    network = "--init '{scheme}' --activation {activation}"
    histogram = "--depth {depth} --width {width}{skip_option}"
    sizes = f"--samples {how.vectors} --bins {how.bins} --json"
    diagnose = "--hidden {width}x{depth}{skip_option} "
    diagnose += f"--samples {how.images} --seeds {how.seeds} --optimizer {how.optimizer} --json"
    return [
        f"initlab histogram {network} {histogram} {sizes}",
        f"initlab histogram {network} {histogram} --what gradients {sizes}",
        f"initlab diagnose {network} {diagnose}",
        f"python -c \"import initlab; print(initlab.train('{{scheme}}', steps={how.steps}, "
        f"hidden='{{width}}x{{depth}}', activation='{{activation}}'{{skip_argument}}, "
        f"batch_size={how.batch_size}, optimizer='{how.optimizer}(lr={how.rate:g})')[0].losses)\"",
    ]


def packed(value: Any) -> str:
    """Data as base64 of compressed JSON, which a browser unpacks in a few milliseconds."""
    return b64encode(gzip.compress(json_text(value).encode(), mtime=0)).decode()
