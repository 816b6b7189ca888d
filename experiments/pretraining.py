"""Greedy layer-wise pretraining of deep sigmoid networks: Hinton et al. 2006, Bengio et al. 2007.

Hinton, Osindero & Teh, A fast learning algorithm for deep belief nets; Bengio, Lamblin, Popovici &
Larochelle, Greedy layer-wise training of deep networks. A 784-100x5-10 sigmoid network on MNIST from
weights N(0, 0.01^2), as they are, and pretrained by restricted Boltzmann machines or denoising
autoencoders, 600 batches of 100 for each layer; then 1000 steps of plain gradient descent at rate 0.5, five
seeds. Beside them stands a scheme of after the time, four times Glorot's weights, that needs no
pretraining. (The papers train far longer and wider, and compare test errors of 1.2 to 2.4 %; here the order
is compared, not the values.)

    python experiments/pretraining.py [RESULTS] [--quick]
"""

from pathlib import Path

from initlab import load_experiment, loss_figure, run_experiment
from initlab.analysis.claims import Claim
from initlab.plotting.marks import pictures
from initlab.runner.exhibits import Exhibit, run_script

CONFIG = Path(__file__).parents[1] / "configs" / "pretraining.yaml"
ACCURACY = "accuracy on the test images after 1000 steps"
STUCK = Claim(
    "random_does_not_train",
    "From small random weights, N(0, 0.01^2), a deep sigmoid network does not train",
    "the received opinion of 2006 to 2010; in Bengio et al. 2007 it trains from larger ones, but worse",
    ACCURACY,
    "not at all: the most frequent class is 11.35 %",
    high=0.15,
)
TRAINS = Claim(
    "pretrained_trains",
    "Pretrained layer by layer, it trains",
    "Bengio et al. 2007, section 5; Hinton et al. 2006",
    ACCURACY,
    "as well as shallow ones in so many steps: at least .9",
    low=0.9,
)
BOLTZMANN_BETTER = Claim(
    "rbm_beats_autoencoder",
    "Boltzmann machines make the better start than autoencoders",
    "Bengio et al. 2007, table 2: 1.2 against 1.4 % test error",
    "test accuracy from Boltzmann machines minus that from autoencoders",
    "better: a difference above 0",
    low=0.0,
    lesson="Not with these few steps, and with noise in the autoencoders, which the paper's had not:"
    " Vincent et al. 2008 found denoising to make up for the difference.",
)
NEEDED = Claim(
    "pretraining_is_needed",
    "Without pretraining deep sigmoid networks cannot be trained",
    "the received opinion of 2006 to 2010",
    "test accuracy from four times Glorot's weights, without pretraining",
    "cannot be trained: at most .5",
    high=0.5,
    lesson="The right variance does it in no time: what was wanting was the start's scale, not "
    "knowledge of the data. With ten times the layers it would be another matter.",
)


def main(results: str = "results", quick: bool = False) -> None:
    exhibit = Exhibit(results, "pretraining", "Greedy layer-wise pretraining", __doc__, quick)
    changes = ["train.steps=300"] if quick else []
    experiment = load_experiment(CONFIG, ["sweep.seed=[0, 1, 2, 3, 4]", *changes])
    outcome = run_experiment(experiment, exhibit.training)
    figure = loss_figure(
        outcome.groups, "The right scale alone does what pretraining needs 3000 batches more for"
    )
    caption = "Training loss; curves of pretrained networks begin after as many steps as that took batches."
    exhibit.figure("loss", pictures(figure), caption)
    found = {one.label: [record.test_accuracy for record in one.records] for one in outcome.groups}
    rows = [
        {"start": label, "seed": seed, "test_accuracy": accuracy}
        for label, accuracies in found.items()
        for seed, accuracy in enumerate(accuracies)
    ]
    exhibit.table("accuracies", rows)
    boltzmann, encoder = found["pretrained_rbm"], found["pretrained_autoencoder"]
    exhibit.claim(STUCK, found["std=0.01"])
    exhibit.claim(TRAINS, {"Boltzmann machines": boltzmann, "autoencoders": encoder})
    exhibit.claim(BOLTZMANN_BETTER, [b - e for b, e in zip(boltzmann, encoder, strict=True)])
    exhibit.claim(NEEDED, found["xavier_sigmoid"])
    exhibit.close()


if __name__ == "__main__":
    run_script(main)
