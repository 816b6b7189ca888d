"""A verdict counts as right where training agrees with it, and the parts are disjoint."""

from pathlib import Path

import pytest

from initlab.gallery.reproduce import load
from initlab.init.scheme import Scheme
from initlab.plotting.verdicts import Verdict

diagnosis = load(Path(__file__).parents[2] / "experiments" / "diagnosis.py")
SETTINGS = diagnosis.exhibit.settings


def network(verdict, accuracy):
    return Verdict(
        scheme=Scheme("he"), activation="relu", depth=2, verdict=verdict, words="", accuracy=accuracy
    )


@pytest.fixture
def predicted(monkeypatch):
    def give(*networks):
        monkeypatch.setattr(diagnosis, "predictions", lambda _settings: list(networks))

    return give


def test_each_part_has_its_own_share(predicted):
    right, wrong = network("trains", 0.9), network("trains slowly", 0.4)
    predicted(*[right] * SETTINGS.parts, wrong, *[right] * (SETTINGS.parts - 1))
    assert diagnosis.trains_is_right(SETTINGS) == [0.5] + [1.0] * (SETTINGS.parts - 1)


def test_verdicts_of_the_opposite_claim_do_not_count(predicted):
    fails, trains = network("does not train", 0.1), network("trains", 0.1)
    predicted(*[fails] * SETTINGS.parts, *[trains] * SETTINGS.parts)
    assert diagnosis.does_not_train_is_right(SETTINGS) == [1.0] * SETTINGS.parts
    assert diagnosis.trains_is_right(SETTINGS) == [0.0] * SETTINGS.parts
