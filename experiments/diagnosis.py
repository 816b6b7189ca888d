"""Is the verdict before training right? `initlab diagnose` against training on MNIST.

Networks of 2 to 30 hidden layers of 100, ten schemes, four activation functions: each is diagnosed
untrained, then trained by 300 steps of plain gradient descent at three rates, of which the best counts. It
has trained where that classifies more than half of the test images. `verdicts.csv` holds all combinations,
`confusion.csv` the count of each verdict and outcome, and `cures.csv` what became of the networks that
began from the scheme that theory recommends for their activation and depth. One seed: the figures are no
measurement of accuracies, but of verdicts over many combinations.

    python experiments/diagnosis.py [RESULTS] [--quick]
"""

import json
from collections import Counter
from pathlib import Path

from initlab import Scheme, diagnose, load_experiment, open_dataset, run_experiment
from initlab.analysis.claims import Claim
from initlab.analysis.diagnosis import find_cure
from initlab.data.inputs import prepare_inputs
from initlab.plotting.marks import pictures
from initlab.plotting.verdicts import Verdict, verdict_figure
from initlab.runner.exhibits import Exhibit, run_script

CONFIG = Path(__file__).parents[1] / "configs" / "trainability.yaml"
SUCCESS = 0.5
SOURCE = "this project's own claim"
FAILS = Claim(
    "does_not_train_is_right",
    "Of networks that diagnose says do not train, almost all do not",
    SOURCE,
    "the fraction whose best test accuracy is at most .5, in each of five parts of the combinations",
    "almost all: at least 0.8",
    low=0.8,
    lesson="Those that train nevertheless lie just beyond the limits, with 12 or 30 layers: the "
    "limits are those of wide networks and some hundred steps.",
)
TRAINS = Claim(
    "trains_is_right",
    "Of networks that diagnose says train, almost all do",
    SOURCE,
    "the fraction whose best test accuracy is above .5, in each of five parts of the combinations",
    "almost all: at least 0.8",
    low=0.8,
    lesson="The exceptions are deep saturated sigmoid networks, which pass gradients and still learn little.",
)
VERDICTS = ("trains", "trains slowly", "does not train")
Network = tuple[str, str, tuple[int, ...]]


def best_accuracies(name: str, results: Path, *changes: str) -> dict[Network, float]:
    """The test accuracy of each network at the best of the rates; 0 where it diverges with all."""
    outcome = run_experiment(load_experiment(CONFIG, [f"name={name}", *changes]), results)
    best: dict[Network, float] = {}
    for group in outcome.groups:
        settings, reached = group.runs[0].settings, group.test_accuracy
        network = (settings.init.scheme, settings.network.activation, settings.network.hidden)
        best[network] = max(best.get(network, 0.0), reached.mean if reached else 0.0)
    return best


def verdicts(accuracies: dict[Network, float]) -> list[Verdict]:
    """What is said of each network before, and how it trained."""
    dataset = open_dataset("mnist")
    inputs = prepare_inputs("unit", dataset)(dataset.train_images[:300], "float64")
    labels = dataset.train_labels[:300]
    found = []
    for (text, activation, hidden), accuracy in accuracies.items():
        scheme = Scheme.parse(text)
        said = diagnose(scheme, activation, hidden, inputs, labels, seeds=3)
        found.append(Verdict(scheme, activation, len(hidden), said.verdict, ", ".join(said.words), accuracy))
    return found


def cured(results: Path, said: list[Verdict]) -> list[list[str]]:
    """One row for each activation and depth: the recommended scheme, and how it trained."""
    networks = sorted({(one.activation, one.depth) for one in said})
    cures = [str(find_cure(activation, depth).scheme) for activation, depth in networks]
    together = {
        "init": cures,
        "network.activation": [activation for activation, _ in networks],
        "network.hidden": [f"100x{depth}" for _, depth in networks],
    }
    sweep = {"train.optimizer.lr": [0.01, 0.1, 1], "seed": [0], "zip": [together]}
    accuracies = best_accuracies("trainability_cures", results, f"sweep={json.dumps(sweep)}")
    return [
        [activation, str(len(hidden)), scheme, f"{accuracy:.3f}"]
        for (scheme, activation, hidden), accuracy in accuracies.items()
    ]


def main(results: str = "results", quick: bool = False) -> None:
    exhibit = Exhibit(results, "diagnosis", "Is the verdict before training right?", __doc__, quick)
    store = exhibit.store
    reduced = ["network.hidden=100x5", "train.steps=100"] if quick else []
    said = verdicts(best_accuracies("trainability", exhibit.training, *reduced))
    right = sum((one.accuracy > SUCCESS) == (one.verdict != "does not train") for one in said)
    title = f"The untrained network tells whether it will train: {right} of {len(said)} verdicts hold"
    figure = verdict_figure(said, SUCCESS, title)
    caption = f"{title}. Test accuracy after 300 steps at the best of three rates, and the verdict before."
    exhibit.figure("verdicts", pictures(figure), caption)
    header = ["scheme", "activation", "depth", "verdict", "words", "test_accuracy"]
    rows = [
        [str(one.scheme), one.activation, one.depth, one.verdict, one.words, f"{one.accuracy:.3f}"]
        for one in said
    ]
    store.write_table("verdicts", header, rows)
    counts = Counter((one.verdict, one.accuracy > SUCCESS) for one in said)
    confusion = [[name, str(counts[name, True]), str(counts[name, False])] for name in VERDICTS]
    store.write_table("confusion", ["verdict", "trained", "did_not"], confusion)
    store.write_table(
        "cures", ["activation", "depth", "scheme", "test_accuracy"], cured(exhibit.training, said)
    )
    parts = [said[i::5] for i in range(5)]
    exhibit.claim(FAILS, [_share(part, {"does not train"}, trained=False) for part in parts])
    exhibit.claim(TRAINS, [_share(part, {"trains", "trains slowly"}, trained=True) for part in parts])
    exhibit.close()


def _share(part: list[Verdict], verdicts: set[str], *, trained: bool) -> float:
    """Of the networks with these verdicts, the fraction that did or did not train."""
    chosen = [one for one in part if one.verdict in verdicts]
    return sum((one.accuracy > SUCCESS) == trained for one in chosen) / len(chosen)


if __name__ == "__main__":
    run_script(main)
