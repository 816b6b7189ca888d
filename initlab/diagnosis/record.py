"""The record of the verdict: how many networks with each verdict trained, in two experiments."""

from initlab.diagnosis.limits import ADAPTIVE

# Networks that trained, of all with that verdict, after the longer training; tests compare them with
# results/diagnosis/confusion.csv and results/diagnosis_residual/confusion.csv.
TRAINED = {
    "sgd": {"trains": (25, 34), "in doubt": (4, 16), "does not train": (0, 48)},
    "adam": {"trains": (31, 38), "in doubt": (4, 15), "does not train": (1, 49)},
}
# Of networks with skip connections, normalization or convolutions.
TRAINED_OTHERS = {
    "sgd": {"trains": (27, 27), "in doubt": (3, 5), "does not train": (0, 23)},
    "adam": {"trains": (40, 40), "in doubt": (3, 6), "does not train": (0, 3)},
}


def record_of(verdict: str, optimizer: str) -> str:
    """How often perceptrons with a verdict trained, as a sentence without its full stop.

    Args:
        verdict: "trains", "in doubt" or "does not train".
        optimizer: its name; those in `ADAPTIVE` have the record of Adam, all others that of sgd.
    """
    trained, count = TRAINED[_kind(optimizer)][verdict]
    return f"In a trial with random networks, {trained} of the {count} with this verdict trained"


def record_of_others(verdict: str, optimizer: str, has_pooling: bool = False) -> str:
    """How often other networks with a verdict trained, as a sentence without its full stop.

    Args:
        verdict: "trains", "in doubt" or "does not train".
        optimizer: as for `record_of`.
        has_pooling: whether the network that got it has pooling layers, as none of the record's has.
    """
    trained, count = TRAINED_OTHERS[_kind(optimizer)][verdict]
    pooling = "; none of them had pooling layers" if has_pooling else ""
    return (
        "In a trial with random networks that had skip connections, normalization or convolutions, "
        f"{trained} of the {count} with this verdict trained; the limits were fitted to perceptrons{pooling}"
    )


def _kind(optimizer: str) -> str:
    return "adam" if optimizer in ADAPTIVE else "sgd"
