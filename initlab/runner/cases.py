"""The different networks of an experiment, each with its data: settings -> what a diagnosis looks at."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from initlab.diagnosis.trial import try_out
from initlab.diagnosis.verdict import Diagnosis, diagnose
from initlab.init.per_layer import Initialization
from initlab.nn.architecture import Skip, as_skip
from initlab.nn.normalization import Norm
from initlab.runner.config import Experiment
from initlab.runner.settings import DataSettings, Settings
from initlab.training.history import History


@dataclass(frozen=True, kw_only=True)
class Case:
    """A network that is to be diagnosed, and its data.

    Attributes:
        start: the schemes of its weights and biases.
        activation: of the hidden layers.
        hidden: units of each hidden layer, or other layers.
        data: the dataset, and how its images become inputs.
        optimizer: that will train it.
        norm, skip: Batch or Layer Normalization and skip connections, or none.
        label: what the experiment calls the start; two cases that differ in it alone are the same.
    """

    start: Initialization
    activation: str
    hidden: tuple[int | str, ...]
    data: DataSettings
    optimizer: str
    norm: Norm | None = None
    skip: Skip | None = None
    label: str = field(default="", compare=False)

    def diagnosis(self, samples: int, seeds: int) -> Diagnosis:
        """What ails it before training.

        Args:
            samples: how many training images it is shown.
            seeds: how many networks are drawn.
        """
        examples = self.data.examples("float64")
        return diagnose(
            self.start,
            self.activation,
            self.hidden,
            examples.train_inputs[:samples],
            examples.train_labels[:samples],
            seeds=seeds,
            norm=self.norm,
            skip=self.skip,
            optimizer=self.optimizer,
        )

    def trial(self, diagnosis: Diagnosis, steps: int | None) -> dict[str, History]:
        """It and its cure, trained for some steps; nothing without steps.

        Args:
            diagnosis: of this case.
            steps: of training.
        """
        return {} if steps is None else try_out(diagnosis, self.data.examples("float32"), steps)


def cases_of(experiment: Experiment) -> list[Case]:
    """The different networks of an experiment, in the order of its sweep."""
    return distinct(_case(settings) for _, settings in experiment.points())


def distinct(cases: Iterable[Case]) -> list[Case]:
    """Each case once."""
    return list(dict.fromkeys(cases))


def _case(settings: Settings) -> Case:
    network = settings.network
    return Case(
        start=settings.init.initialization,
        activation=network.activation,
        hidden=network.hidden,
        data=settings.data,
        optimizer=settings.train.optimizer.name,
        norm=network.normalization,
        skip=as_skip(network.skip),
        label=settings.init.label or "",
    )
