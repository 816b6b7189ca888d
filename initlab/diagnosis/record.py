"""The record of the verdict: how many networks with each verdict trained, in experiments/diagnosis.py."""

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
