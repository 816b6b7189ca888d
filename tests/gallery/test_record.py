"""Published results, read by a stranger: the committed ones agree with their scripts, others are checked."""

import json
from pathlib import Path

import pytest

from initlab.errors import StorageError
from initlab.gallery.record import read_records
from initlab.gallery.reproduce import experiments, load

ROOT = Path(__file__).parents[2]
CLAIM = {
    **dict.fromkeys(("statement", "source", "quantity", "range", "reason", "otherwise", "lesson"), "text"),
    **dict.fromkeys(("details", "heading"), "text"),
    "name": "holds",
    "verdict": "confirmed",
    "findings": [{"setting": "", "mean": 1, "low": 1, "high": 1, "seeds": 5, "verdict": "confirmed"}],
}


@pytest.mark.parametrize("form", ["results", "results/quick"])
def test_committed_results_have_the_texts_figures_and_tables_of_their_scripts(form):
    records = read_records(ROOT / form)
    for name, script in experiments(ROOT / "experiments").items():
        exhibit, record = load(script).exhibit, records[name]
        settings = exhibit.quick if form.endswith("quick") else exhibit.settings
        assert record.about == settings.fill(exhibit.about), name
        assert record.figures == {p.name: settings.fill(p.caption) for p in exhibit.pictures}, name
        assert list(record.tables) == [table.name for table in exhibit.tables], name
        units = {claim.name: claim.unit for claim, _ in exhibit.claims}
        assert {claim.name: claim.unit for claim in record.claims} == units, name


def written(tmp_path, folder="mine", **changes):
    tree = {"title": "Mine", "claims": [CLAIM]} | changes
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "claims.json").write_text(json.dumps(tree))
    return tmp_path


def test_results_of_an_earlier_version_have_less(tmp_path):
    (record,) = read_records(written(tmp_path)).values()
    assert (record.about, record.figures, record.claims[0].unit) == ("", {}, "seeds")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"title": None}, "title: Input should be a valid string"),
        (
            {"tables": {"../../etc/passwd": 1}},
            "tables: ../../etc/passwd: \\[key\\]: '../../etc/passwd' is no name: letters,",
        ),
        ({"figures": {"a/b": ""}}, "figures: a/b: \\[key\\]: 'a/b' is no name"),
        (
            {"claims": [CLAIM | {"name": 'x" onclick="y'}]},
            "claims: 0: name: .* is no name: letters, digits, _ and - are acc",
        ),
        ({"claims": [CLAIM | {"verdict": "splendid"}]}, "claims: 0: verdict: Input should be 'confirmed'"),
        ({"claims": [CLAIM, CLAIM]}, "two claims have the name 'holds'"),
        ({"folder": "my experiment"}, "name: 'my experiment' is no name"),
    ],
)
def test_results_of_another_form_are_one_message(tmp_path, changes, message):
    with pytest.raises(StorageError, match=f"claims.json: .*{message}"):
        read_records(written(tmp_path, **changes))


def test_a_file_that_is_no_json_is_named(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/claims.json").write_bytes(b"[" * 100_000)
    with pytest.raises(StorageError, match=r"mine/claims\.json: Invalid JSON"):
        read_records(tmp_path)
