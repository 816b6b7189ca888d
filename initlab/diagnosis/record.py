"""The record of the verdict: how many networks with each verdict trained, in experiments/diagnosis.py."""

from collections.abc import Sequence

from initlab.diagnosis.limits import ADAPTIVE

# Networks that trained, of all with that verdict, after the longer training; a test compares them with
# results/diagnosis/confusion.csv.
TRAINED = {
    "sgd": {"trains": (25, 34), "in doubt": (4, 16), "does not train": (0, 48)},
    "adam": {"trains": (30, 37), "in doubt": (5, 16), "does not train": (1, 49)},
}


def record_of(verdict: str, optimizer: str) -> str:
    """How often networks with a verdict trained, as a sentence without its full stop.

    Args:
        verdict: "trains", "in doubt" or "does not train".
        optimizer: its name; those in `ADAPTIVE` have the record of Adam, all others that of sgd.
    """
    trained, count = TRAINED["adam" if optimizer in ADAPTIVE else "sgd"][verdict]
    return f"Of {count} networks drawn by chance that got this verdict, {trained} trained"


def not_validated(parts: Sequence[str]) -> str:
    """What the verdict on a network that is no perceptron rests on, as a sentence without its full stop.

    Args:
        parts: what the network has besides dense layers, as "skip connections".

    >>> not_validated(["skip connections"])
    'The limits of this verdict were found with perceptrons, and not validated for skip connections'
    """
    listed = ", ".join(parts[:-1]) + " and " * (len(parts) > 1) + parts[-1]
    return f"The limits of this verdict were found with perceptrons, and not validated for {listed}"
