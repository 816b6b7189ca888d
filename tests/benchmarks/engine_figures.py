"""The benchmark's tables as figures: `engine.csv`, `growth.csv` -> two pictures beside them.

python tests/benchmarks/engine_figures.py
"""

import csv
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from initlab.plotting.style import render, styled

RESULTS = Path(__file__).parents[2] / "results" / "benchmarks"
NAMES = {
    "floor": "its matrix products alone",
    "initlab": "initlab",
    "jax_scan": "JAX, compiled",
    "torch_stacked": "PyTorch, stacked",
    "torch_compiled": "PyTorch, stacked, compiled",
    "torch_eager": "PyTorch, one by one",
    "textbook32": "textbook NumPy, float32",
    "textbook64": "textbook NumPy, float64",
}
COLORS = dict(
    zip(
        NAMES,
        ("#999999", "#D55E00", "#009E73", "#56B4E9", "#0072B2", "#CC79A7", "#E69F00", "#F0E442"),
        strict=True,
    )
)
Row = dict[str, str]


def best(rows: Iterable[Row]) -> list[Row]:
    """Of each contender the arrangement that is fastest."""
    groups = groupby(rows, key=lambda row: row["contender"])
    return [min(group, key=lambda row: float(row["times_initlab"])) for _, group in groups]


@styled
def ratio_figure(rows: Sequence[Row]) -> Figure:
    """Time of a step relative to initlab's, for each workload and contender."""
    groups = [(name, best(group)) for name, group in groupby(rows, key=lambda row: row["workload"])]
    figure = Figure(figsize=(8.6, 1.45 * len(groups) + 0.8))
    figure.suptitle(
        "Time of a training step in multiples of initlab's, each in its best arrangement",
        x=0.01,
        ha="left",
        fontweight="bold",
    )
    for axes, (name, group) in zip(figure.subplots(len(groups), 1, sharex=True), groups, strict=True):
        ratios = np.array([float(row["times_initlab"]) for row in group])
        places = np.arange(len(group))
        axes.barh(places, ratios, color=[COLORS[row["contender"]] for row in group], height=0.75)
        lows, highs = ([float(row[end]) for row in group] for end in ("low", "high"))
        axes.hlines(places, lows, highs, color="#333333", linewidth=1)
        for place, ratio, high in zip(places, ratios, highs, strict=True):
            axes.text(1.06 * max(ratio, high), place, f"{ratio:.2f}", va="center", fontsize=7)
        axes.set(xscale="log", xlim=(0.15, 20))
        names = [f"{NAMES[row['contender']]}, {row['arrangement']}" for row in group]
        axes.set_yticks(places, names, fontsize=6.5)
        axes.axvline(1, color="#333333", linewidth=0.8)
        axes.set_xticks([0.2, 0.5, 1, 2, 5, 10], ["0.2", "0.5", "1", "2", "5", "10"])
        axes.minorticks_off()
        axes.invert_yaxis()
        axes.set_title(name, fontsize=8, fontweight="normal")
    axes.set_xlabel("time / initlab's time: median and range of the rounds, all cores")
    return figure


@styled
def growth_figure(rows: Sequence[Row]) -> Figure:
    """Milliseconds of a step against the number of networks, width, depth and batch."""
    figure = Figure(figsize=(9, 2.9))
    _title(figure, "The time of a step against the size of its work")
    panels = [(name, list(group)) for name, group in groupby(rows, key=lambda row: row["quantity"])]
    for axes, (name, group) in zip(figure.subplots(1, len(panels), sharey=True), panels, strict=True):
        sizes = [float(row["size"]) for row in group]
        axes.loglog(sizes, [float(row["ms_per_step"]) for row in group], marker="o", color="#D55E00")
        axes.set_title(
            f"at last as {name}^{float(group[0]['exponent']):.2f}",
            fontsize=8,
            fontweight="normal",
        )
        axes.set_xlabel(name)
        axes.set_xticks(sizes, [f"{size:g}" for size in sizes], fontsize=6.5)
        axes.minorticks_off()
    ticks = [0.5, 1, 2, 5, 10, 20, 50]
    figure.axes[0].set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    figure.axes[0].set_ylabel("ms per step")
    return figure


def _title(figure: Figure, text: str) -> None:
    figure.suptitle(text, x=0.01, ha="left", fontweight="bold")


def read(name: str) -> list[Row]:
    with (RESULTS / name).open() as file:
        return list(csv.DictReader(file))


def main() -> None:
    for name, figure in (
        ("engine", ratio_figure(read("engine.csv"))),
        ("growth", growth_figure(read("growth.csv"))),
    ):
        for suffix in ("png", "svg"):
            (RESULTS / f"{name}.{suffix}").write_bytes(render(figure, suffix))


if __name__ == "__main__":
    main()
