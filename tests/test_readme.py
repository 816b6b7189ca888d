"""The README: its notebook runs, its commands exist, its pictures and numbers are those committed."""

import ast
import csv
import re
import shlex
from pathlib import Path

import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook
from typer.testing import CliRunner

from initlab.cli import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def shown(cell):
    """The richest form of what a cell shows, as a mimetype."""
    forms = [form for output in cell.outputs for form in output.get("data", ())]
    return next((kind for kind in ("image/png", "text/html") if kind in forms), None)


def test_the_notebook_runs_and_each_cell_shows_something():
    """In a kernel, as Jupyter does it; every statement is a cell of its own."""
    (code,) = re.findall(r"```python\n(.*?)```", README, re.S)
    statements = [ast.get_source_segment(code, statement) for statement in ast.parse(code).body]
    notebook = new_notebook(cells=[new_code_cell(statement) for statement in statements])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "", "language": "python"}
    NotebookClient(notebook, timeout=300).execute()
    expressions = notebook.cells[3:]
    assert [shown(cell) for cell in expressions] == ["text/html", "image/png", "image/png", "text/html"]
    table = expressions[-1].outputs[0].data["text/html"]
    assert table.count("<tr") == 1 + 9, "a line of names, and one for each network"


def test_it_is_short():
    assert len(README.split()) <= 1100


def test_links_and_pictures_exist():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).is_file(), target


@pytest.mark.parametrize("line", re.findall(r"^initlab (?:.* )?(?:configs|--|  #).*", README, re.M))
def test_commands_are_understood(line):
    command, *options = shlex.split(line, comments=True)[1:]
    result = CliRunner().invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert all(option in result.stdout for option in options if option.startswith("--"))


def committed(path):
    with (ROOT / "results" / path).open() as file:
        return list(csv.DictReader(file))


def test_the_numbers_are_those_committed():
    rows = {row["label"]: row for row in committed("book_mnist_loss/summary.csv")}
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


def test_the_shares_of_the_gradient_are_those_committed():
    rows = {row["scheme"]: row for row in committed("sigmoid_gradients/gradient_factors.csv")}
    sentence = re.search(r"keeps (\d+) %.*?theory:\s(\d+) %\), but only (\d+) %", README, re.S)
    measured, theory, xavier = map(int, sentence.groups())
    assert measured == round(100 * float(rows["std=1"]["gradient_factor"]))
    assert theory == round(100 * float(rows["std=1"]["predicted"]))
    assert xavier == round(100 * float(rows["book:xavier"]["gradient_factor"]))


def test_the_record_of_the_verdict_is_the_committed_one():
    sentence = re.search(r"(\d+) of (\d+) verdicts are right, and (\d+) of (\d+) \*does not train\*", README)
    rows = committed("diagnosis/confusion.csv")
    longest = max(int(row["steps"]) for row in rows)
    counts = {"trains": [0, 0], "does not train": [0, 0], "in doubt": [0, 0]}
    for row in rows:
        if int(row["steps"]) == longest:
            counts[row["verdict"]][0] += int(row["trained"])
            counts[row["verdict"]][1] += int(row["did_not"])
    (trained, slow), (lucky, failed) = counts["trains"], counts["does not train"]
    expected = (trained + failed, trained + slow + lucky + failed, failed, lucky + failed)
    assert tuple(map(int, sentence.groups())) == expected
