"""The README: its Python runs, its commands exist, its pictures and numbers are those committed."""

import csv
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from initlab.cli import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_the_python_runs():
    (code,) = re.findall(r"```python\n(.*?)```", README, re.S)
    exec(compile(code, "README.md", "exec"), {})


def test_links_and_pictures_exist():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).is_file(), target


@pytest.mark.parametrize("line", re.findall(r"^initlab (?:.* )?(?:configs|--|  #).*", README, re.M))
def test_commands_are_understood(line):
    command, *options = shlex.split(line, comments=True)[1:]
    told = CliRunner().invoke(app, [command, "--help"])
    assert told.exit_code == 0
    assert all(option in told.stdout for option in options if option.startswith("--"))


def test_the_numbers_are_those_committed():
    with (ROOT / "results/book_mnist_loss/summary.csv").open() as file:
        rows = {row["label"]: row for row in csv.DictReader(file)}
    for label, start in (("std=0.01", "| std=0.01"), ("Xavier", "| the book's Xavier"), ("He", "| He,")):
        (line,) = [line for line in README.splitlines() if line.startswith(start)]
        loss, accuracy = line.split("|")[2:4]
        row = rows[label]
        for cell, quantity in ((loss, "final_loss"), (accuracy, "test_accuracy")):
            mean, half = (float(number) for number in cell.split("±"))
            digits = len(cell.split("±")[0].strip().split(".")[1])
            assert mean == pytest.approx(float(row[quantity]), abs=0.51 * 10**-digits)
            ours = (float(row[f"{quantity}_high"]) - float(row[f"{quantity}_low"])) / 2
            assert half == pytest.approx(ours, abs=0.51 * 10**-digits)
