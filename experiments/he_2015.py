"""He, Zhang, Ren & Sun 2015, Delving deep into rectifiers.

ReLU networks of {shallow} and {deep} hidden layers of {width} units learn MNIST (the paper: convolutional
networks on ImageNet) by plain gradient descent: {steps} steps, batches of {batch_size}, {seeds} seeds. Each
start has the rate of {rates} whose loss on {held_out} held-out training images is lowest after the most
steps, of {rate_seeds} seed. Xavier's weights are the paper's, of variance 1/n_in, which lose half of the mean
square in every layer.
"""

import numpy as np
from matplotlib.figure import Figure

from initlab import train_at_best_rate
from initlab.gallery import Exhibit
from initlab.plotting.elements import headline, label_ends, mean_and_range
from initlab.plotting.style import look

exhibit = Exhibit(
    __file__,
    __doc__,
    title="Very deep rectifier networks",
    question="depth",
    finding="Through {shallow} ReLU layers both starts learn, He's sooner; through {deep}, networks with "
    "Xavier's weights stand still for a long while before they begin to learn.",
    source="He et al. 2015, section 2.2",
    network={"shallow": 22, "deep": 30, "width": 100},
    training={
        "steps": (1000, 3000),
        "batch_size": 64,
        "rates": (0.03, 0.1),
        "rate_seeds": 1,
        "held_out": 5000,
    },
    measuring={"seeds": 5, "last": 100, "span": 20},
    quick={"shallow": 10, "deep": 14, "width": 50, "steps": (100, 300), "rates": (0.1,), "last": 50},
)
SCHEMES = {"he": "He", "lecun": "Xavier (1/n)"}
KNOWS_NOTHING = "knowing nothing costs ln 10 = 2.303"
FINAL = "mean loss of the last {last} steps, in nats"


@exhibit.kept
def losses(s, depth):
    """Of each scheme at its best rate, (seeds, steps)."""
    histories = train_at_best_rate(
        list(SCHEMES),
        hidden=[s.width] * depth,
        steps=max(s.steps),
        batch_size=s.batch_size,
        rates=s.rates,
        validation=s.held_out,
        by="loss",
        seeds=range(s.seeds),
        choosing={"seeds": range(s.rate_seeds)},
    )
    return {scheme: np.nan_to_num(histories.of(scheme).losses, nan=10.0) for scheme in SCHEMES}


def final_loss(s, depth, scheme, steps):
    """Of each seed."""
    return losses(s, depth)[scheme][:, steps - s.last : steps].mean(axis=1)


@exhibit.claim(
    "figure 2",
    quantity=FINAL,
    budgets="steps",
    high=1.5,
    reason=f"{KNOWS_NOTHING}; converge: at most 1.5",
    tried=(
        "64 units, 300 steps: confirmed for He, refuted for Xavier",
        "64 units, 2000 steps: confirmed for He, undecided for Xavier",
        "64 units, 3000 steps, and the same with 100 units: confirmed",
    ),
)
def both_converge_at_22(s, steps):
    """With {shallow} layers networks converge from both, He's and Xavier's weights.

    {shallow} layers shrink the mean square by 2^-{shallow}. Learning from Xavier's weights starts late, so
    the answer depends on how long one waits.
    """
    return {SCHEMES[scheme]: final_loss(s, s.shallow, scheme, steps) for scheme in SCHEMES}


@exhibit.claim(
    "figure 2",
    budgets="steps",
    low=0.1,
    reason="faster: a difference above 0.1",
    tried=("64 units, 300, 2000 and 3000 steps; 100 units, 3000 steps: confirmed",),
)
def he_sooner_at_22(s, steps):
    """With {shallow} layers learning is faster from He's weights.

    Measured: mean loss of all steps from Xavier's weights minus that from He's, in nats.
    """
    both = losses(s, s.shallow)
    return (both["lecun"] - both["he"])[:, :steps].mean(axis=1)


@exhibit.claim(
    "figure 3",
    quantity=FINAL,
    budgets="steps",
    low=2.2,
    reason=f"{KNOWS_NOTHING}; stalls: at least 2.2",
    tried=(
        "64 units: confirmed after 300 and 1000 steps, undecided after 2000 and 3000",
        "100 units: confirmed after 1000 steps, refuted after 3000",
        "100 units, rate 0.3, two seeds, 1000 steps: stalls likewise; one of two networks from He's weights "
        "diverges and the other does not learn",
    ),
)
def xavier_stalls_at_30(s, steps):
    """With {deep} layers learning from Xavier's weights stalls.

    With {deep} layers the delay is longer: at first nothing is learned, and later most of the networks begin
    to learn. What the paper calls a stall is here a plateau with an end.
    """
    return final_loss(s, s.deep, "lecun", steps)


@exhibit.claim(
    "figure 3",
    quantity=FINAL,
    budgets="steps",
    high=1.5,
    reason="converge: at most 1.5",
    tried=(
        "64 units: undecided after 300 steps, confirmed after 2000 and 3000",
        "100 units, 3000 steps: confirmed",
    ),
)
def he_learns_at_30(s, steps):
    """With {deep} layers networks still converge from He's weights."""
    return final_loss(s, s.deep, "he", steps)


@exhibit.figure(
    "Lines: the mean of {seeds} seeds, averaged over {span} steps. Bands: from the smallest to the largest."
)
def loss(s):
    figure, steps = Figure(figsize=(8.6, 3.6)), max(s.steps)
    headline(figure, "ReLU networks learn MNIST from He's and from Xavier's weights")
    for axes, depth in zip(figure.subplots(1, 2, sharey=True), (s.shallow, s.deep), strict=True):
        for scheme, curves in losses(s, depth).items():
            means = curves.reshape(len(curves), -1, s.span).mean(axis=2)
            mean_and_range(axes, np.arange(s.span, steps + 1, s.span), means, look(scheme), SCHEMES[scheme])
        axes.axhline(np.log(10), color="#555555", linewidth=0.8, linestyle=":")
        axes.set(xlabel="training step", ylim=(0, 2.5), title=f"{depth} layers")
        label_ends(axes)
    figure.axes[0].set_ylabel("training loss (nats)")
    figure.axes[0].text(steps, np.log(10) + 0.03, "ln 10: nothing known", ha="right", fontsize=8)
    return figure


@exhibit.table()
def final_losses(s):
    return [
        {"depth": depth, "scheme": scheme, "steps": steps, "seed": seed, "final_loss": float(value)}
        for depth in (s.shallow, s.deep)
        for scheme in SCHEMES
        for steps in s.steps
        for seed, value in enumerate(final_loss(s, depth, scheme, steps))
    ]
