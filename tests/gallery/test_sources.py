"""The table of what the sources say: each statement with its claims, or why there are none."""

import pytest

from initlab.errors import InitlabError, UsageError
from initlab.gallery.sources import read_sources, tables

TEXT = """
de:
  title: A text
  language: German
  author: Nobody
  statements:
  - says: Equal units | stay equal.
    claims: [symmetry.stay_equal]
  - says: It is fine.
    claims: []
    why: an opinion
"""
EXHIBITS = {"symmetry": {"claims": [{"name": "stay_equal", "verdict": "confirmed"}]}}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "sources.yaml"
    path.write_text(TEXT)
    return path


def test_each_statement_has_a_row_with_the_verdicts_of_its_claims(path):
    assert list(tables(read_sources(path), EXHIBITS)) == [
        "### A text",
        "",
        "German; by Nobody.",
        "",
        "| it says | claims |",
        "|---|---|",
        "| Equal units \\| stay equal. | [stay equal](symmetry/README.md): confirmed |",
        "| It is fine. | not measured: an opinion |",
        "",
    ]


def test_a_claim_that_no_exhibit_has_is_refused(path):
    path.write_text(TEXT.replace("stay_equal", "stay_equla"))
    with pytest.raises(UsageError, match=r"unknown claim 'symmetry.stay_equla'; did you mean"):
        list(tables(read_sources(path), EXHIBITS))


def test_a_statement_without_claims_says_why(path):
    path.write_text(TEXT.replace("    why: an opinion\n", ""))
    with pytest.raises(UsageError, match="does not say why"):
        read_sources(path)


@pytest.mark.parametrize("text", ["de: [", "de: 3", "de: {title: A, language: B, statments: []}"])
def test_a_file_of_another_form_is_one_message(path, text):
    path.write_text(text)
    with pytest.raises(InitlabError, match=r"sources\.yaml"):
        read_sources(path)


def test_without_the_file_there_are_no_sources(tmp_path):
    assert read_sources(tmp_path / "none.yaml") == {}
