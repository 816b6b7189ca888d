"""Networks beyond the perceptron: the options that commands share, and what theory leaves unsaid of them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from initlab.init.per_layer import Initialization
    from initlab.nn.architecture import Size, Skip
    from initlab.nn.normalization import Norm

SkipOption = Annotated[
    str | None,
    typer.Option(metavar="EVERY", help='Skip connections, as 2, or "every=2, scale=1/sqrt(blocks)".'),
]
NormOption = Annotated[
    str | None,
    typer.Option(metavar="batch|layer", help='Normalize the hidden layers; after phi: "layer(place=after)".'),
]


def words_of(norm: "Norm | None", skip: "Skip | None", hidden: str | None = None) -> list[str]:
    """What tells a network from a plain one, for the name of a file.

    Args:
        norm, skip: of the network.
        hidden: its hidden layers, where they are given.
    """
    kind = [] if norm is None else [f"{type(norm).__name__} {norm.place}"]
    return [*([hidden] if hidden else []), *kind, *([f"skip {skip}"] if skip else [])]


def what_theory_leaves_unsaid(
    starts: "Sequence[Initialization]", sizes: "Sequence[Size]", norm: "Norm | None", skip: "Skip | None"
) -> list[str]:
    """A sentence for each start of which theory predicts nothing, and one where it is approximate.

    Args:
        starts: that were drawn.
        sizes: of their networks.
        norm, skip: of their networks.
    """
    from initlab.theory.layers import remark, silence

    reasons = [silence(start, norm) for start in starts] + [remark(sizes, skip)]
    return [f"{reason[0].upper()}{reason[1:]}." for reason in dict.fromkeys(reasons) if reason]
