"""The record of the verdict: how many networks with each verdict trained, in experiments/diagnosis.py."""

from initlab.diagnosis.limits import ADAPTIVE

# Networks that trained, of all with that verdict, after the longer training; a test compares them with
# results/diagnosis/confusion.csv.
TRAINED = {
    "sgd": {"trains": (12, 17), "in doubt": (1, 5), "does not train": (0, 27)},
    "adam": {"trains": (13, 18), "in doubt": (2, 4), "does not train": (1, 29)},
}


def record_of(verdict: str, optimizer: str) -> str:
    """How often networks with a verdict trained, as a sentence without its full stop.

    Args:
        verdict: "trains", "in doubt" or "does not train".
        optimizer: its name; those in `ADAPTIVE` have the record of Adam, all others that of sgd.
    """
    trained, count = TRAINED["adam" if optimizer in ADAPTIVE else "sgd"][verdict]
    return f"Of {count} networks drawn by chance that got this verdict, {trained} trained"
