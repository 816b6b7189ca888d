"""Hinton et al. 2006 and Bengio et al. 2007: greedy layer-wise pretraining of deep sigmoid networks.

Hinton, Osindero & Teh, A fast learning algorithm for deep belief nets; Bengio, Lamblin, Popovici &
Larochelle, Greedy layer-wise training of deep networks. A sigmoid network of {layers} hidden layers of
{width} units starts from small random weights, N(0, 0.01^2), or is pretrained: layer by layer, with {batches}
batches for each, as restricted Boltzmann machines or as denoising autoencoders. Then it learns MNIST by
{steps} steps of plain gradient descent at rate {rate}, with {seeds} seeds. We add a later scheme that needs
no pretraining, four times Glorot's weights. The papers train far longer and wider, and compare test errors of
1.2 to 2.4 %; we compare the order only.
"""

from pathlib import Path

from initlab import load_experiment, loss_figure
from initlab.gallery import Exhibit
from initlab.init.scheme import SCHEMES

CONFIG = Path(__file__).parents[1] / "configs" / "pretraining.yaml"
RUN = load_experiment(CONFIG).points()[0][1]
exhibit = Exhibit(
    __file__,
    __doc__,
    title="Greedy layer-wise pretraining",
    question="remedy",
    finding="From small random weights a deep sigmoid network does not learn; pretrained it does, and from "
    "weights of the right scale it does so without pretraining.",
    network={"layers": len(RUN.network.hidden), "width": RUN.network.hidden[0]},
    training={"steps": RUN.train.steps, "rate": RUN.train.optimizer.arguments["lr"]},
    measuring={"batches": int(SCHEMES["pretrained_rbm"].parameters()["steps"].default), "seeds": 5},
    quick={"steps": 300},
)
OPINION = "the received opinion of 2006 to 2010"
ACCURACY = "accuracy on the test images after {steps} steps"


def results(s):
    changes = [f"train.steps={s.steps}", f"sweep.seed={list(range(s.seeds))}"]
    return exhibit.train(load_experiment(CONFIG, changes))


def reached(s, start):
    return results(s).histories.of(start).numbers("test_accuracy", missing=0.0)


@exhibit.claim(
    source=f"{OPINION}; in Bengio et al. 2007 it trains from larger weights, but worse",
    quantity=ACCURACY,
    high=0.15,
    reason="not at all: the most frequent class is 11.35 %",
)
def random_does_not_train(s):
    """From small random weights, N(0, 0.01^2), a deep sigmoid network does not train."""
    return reached(s, "std=0.01")


@exhibit.claim(
    source="Bengio et al. 2007, section 5; Hinton et al. 2006",
    quantity=ACCURACY,
    low=0.9,
    reason="as well as shallow networks in as many steps: at least .9",
)
def pretrained_trains(s):
    """Pretrained layer by layer, a deep sigmoid network trains."""
    machines, encoders = reached(s, "pretrained_rbm"), reached(s, "pretrained_autoencoder")
    return {"Boltzmann machines": machines, "autoencoders": encoders}


@exhibit.claim(
    source="Bengio et al. 2007, table 2: 1.2 against 1.4 % test error",
    quantity=f"{ACCURACY}, from Boltzmann machines minus that from autoencoders",
    low=0.0,
    reason="better: a difference above 0",
    otherwise="Denoising autoencoders make a slightly better start than Boltzmann machines",
)
def rbm_beats_autoencoder(s):
    """Boltzmann machines make a better start than autoencoders.

    Our training is short, and our autoencoders have noise, which the paper's do not. Vincent et al. 2008
    report that denoising makes up for the difference.
    """
    return reached(s, "pretrained_rbm") - reached(s, "pretrained_autoencoder")


@exhibit.claim(
    source=OPINION,
    quantity=f"{ACCURACY}, from four times Glorot's weights",
    high=0.5,
    reason="cannot be trained: at most .5",
    otherwise="Without pretraining deep sigmoid networks train, from weights of the right scale",
)
def pretraining_is_needed(s):
    """Without pretraining deep sigmoid networks cannot be trained.

    What is missing from the small weights is their scale, not knowledge of the data. With ten times the
    layers it would be another matter.
    """
    return reached(s, "xavier_sigmoid")


@exhibit.figure(
    "Training loss. Curves of pretrained networks begin after the batches that pretraining takes."
)
def loss(s):
    title = f"The right scale alone replaces {s.layers * s.batches} batches of pretraining"
    return loss_figure(results(s).conditions, title)


@exhibit.table(tolerance=0.005)
def accuracies(s):
    return [
        {"start": history.label, "seed": history.seed, "test_accuracy": history.test_accuracy}
        for history in results(s).histories
    ]
