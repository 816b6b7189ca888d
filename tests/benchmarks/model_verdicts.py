"""Is `initlab.torch.diagnose` right? Models of fourteen families, diagnosed, and then trained.

    pip install 'torch==2.13.0' 'anyinit==0.4.0'
    python tests/benchmarks/model_verdicts.py KEPT          trains, and adds a line for each model to a file
    python tests/benchmarks/model_page.py KEPT              writes results/own_models from it

Models are drawn by chance: family, depth, activation, start and data. Draws 0 to 2 served to find limits,
171 models; these were fixed before draw 3 was trained.
"""

import argparse
import json
import math
import multiprocessing
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from anyinit_peer import weights_kept
from model_families import ACTIVATIONS, FAMILIES, Task, task_of
from torch import nn

from initlab.torch import diagnose, init_

STARTS = ("default", "times 0.3", "times 3", "he", "xavier", "orthogonal", "std=0.02", "std=0.2")
RATES = {"sgd": (0.0015, 0.005, 0.015, 0.05, 0.15), "adam": (0.001, 0.003)}
STEPS, BATCH, SEEDS, SHOWN = (100, 300), 32, 3, 64
MODELS = 56
SHARE, PARTLY, LEARNT = 0.85, 0.7, 0.3
ANYINIT = "import anyinit; anyinit.initialize(model, 'analytic', batch[0])"


@dataclass(frozen=True)
class Model:
    """A model that was drawn by chance."""

    number: int
    family: str
    depth: int
    activation: str
    start: str
    data: str

    @property
    def task(self) -> Task:
        return task_of(FAMILIES[self.family].task, self.data)

    @property
    def shown(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The batch that is diagnosed."""
        inputs, targets = self.task.train
        return inputs[:SHOWN], targets[:SHOWN]

    def build(self) -> nn.Module:
        """With weights from the start, by PyTorch's random state."""
        model = FAMILIES[self.family].build(self.depth, ACTIVATIONS[self.activation])
        return started(model, self.start, self.shown)


def started(model: nn.Module, start: str, batch: Any) -> nn.Module:
    """The model with other weights."""
    if start.startswith("times "):
        factor = float(start.split()[1])
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.ndim > 1:
                    parameter *= factor
    elif start != "default":
        init_(model, start, batch, seed=int(torch.randint(2**31, ())))
    return model


def models_of(draw: int) -> list[Model]:
    rng = np.random.default_rng(draw)
    return [drawn(rng, number, list(FAMILIES)[number % len(FAMILIES)]) for number in range(MODELS)]


def drawn(rng: np.random.Generator, number: int, name: str) -> Model:
    family = FAMILIES[name]
    least, most = family.depths
    # PyTorch's recurrent layers are no linear ones, so init_ leaves them as they are.
    starts = STARTS[:3] if name == "LSTM" else STARTS
    return Model(
        number=number,
        family=name,
        depth=round(least * (most / least) ** rng.random()),
        activation=str(rng.choice(family.activations)),
        start=str(rng.choice(starts)),
        data="synthetic text" if family.task == "text" else str(rng.choice(["mnist", "fashion_mnist"])),
    )


def references() -> list[Model]:
    """Of each family and data a shallow model from two good starts; others are compared with the better one.

    PyTorch's recurrent layers have only one.
    """
    found = []
    for name, family in FAMILIES.items():
        data = ["synthetic text"] if family.task == "text" else ["mnist", "fashion_mnist"]
        for start, each in product(("he", "default") if name != "LSTM" else ("default",), data):
            number = 1000 + len(found)
            found.append(Model(number, name, family.depths[0], family.activations[0], start, each))
    return found


def drawn_model(model: Model, seed: int) -> nn.Module:
    torch.manual_seed(1000 * model.number + seed)
    return model.build()


def trained(own: nn.Module, task: Task, optimizer: str, rate: float, seed: int) -> dict[str, list[float]]:
    """Scores on the examples for the choice of a rate and on the test's, after each budget; 0 if diverged."""
    make = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[optimizer]
    rule = make(own.parameters(), lr=rate)
    inputs, targets = task.train
    generator = torch.Generator().manual_seed(seed)
    scores: dict[str, list[float]] = {"choice": [], "test": []}
    for step in range(1, max(STEPS) + 1):
        chosen = torch.randint(len(inputs), (BATCH,), generator=generator)
        rule.zero_grad()
        loss = loss_of(own(inputs[chosen]), targets[chosen])
        if not math.isfinite(loss.item()):
            break
        loss.backward()
        rule.step()
        if step in STEPS:
            for part, seen in scores.items():
                seen.append(score(own, task, getattr(task, part)))
    return {part: seen + [0.0] * (len(STEPS) - len(seen)) for part, seen in scores.items()}


def loss_of(output: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    if targets.is_floating_point():
        return nn.functional.mse_loss(output, targets)
    return nn.functional.cross_entropy(output.flatten(0, -2), targets.flatten())


def score(own: nn.Module, task: Task, examples: tuple[torch.Tensor, torch.Tensor]) -> float:
    inputs, targets = examples
    with torch.no_grad():
        own.eval()
        value = task.score(own(inputs), targets)
        own.train()
    return value if math.isfinite(value) else 0.0


def best_of_rates(build: Callable[[int], nn.Module], task: Task, optimizer: str) -> list[float]:
    """The middle seed's test score after each budget, at the rate that is best for the first seed in the end.

    The rate is chosen on examples that are neither trained on nor tested.
    """
    first = {rate: trained(build(0), task, optimizer, rate, 0) for rate in RATES[optimizer]}
    best = max(first, key=lambda rate: first[rate]["choice"][-1])
    others = [trained(build(seed), task, optimizer, best, seed) for seed in range(1, SEEDS)]
    runs = [first[best], *others]
    return [float(np.median([run["test"][budget] for run in runs])) for budget in range(len(STEPS))]


def record_of(model: Model) -> dict[str, Any]:
    """Everything that is measured of a model."""
    numbers = iter(range(100))

    def build() -> nn.Module:
        return drawn_model(model, next(numbers))

    verdicts = {}
    for optimizer in RATES:
        numbers = iter(range(100))
        found = diagnose(build, model.shown, optimizer=optimizer, draws=SEEDS, cure=False)
        verdicts[optimizer] = {"verdict": found.verdict, "severity": found.severity, "words": found.words}
        verdicts[optimizer]["stages"] = [
            {"name": stage.name, "kind": stage.kind, **stage.numbers} for stage in found.stages
        ]
        verdicts[optimizer]["seen"] = found.seen
        verdicts[optimizer]["first"] = asdict(found.first) if found.first else None
    scores = {
        optimizer: best_of_rates(lambda seed: drawn_model(model, seed), model.task, optimizer)
        for optimizer in RATES
    }
    return {**asdict(model), "verdicts": verdicts, "scores": scores, "anyinit": anyinit_of(model)}


def cured(model: Model, code: str, optimizer: str) -> list[float]:
    """As `best_of_rates`, after lines that change the weights."""

    def build(seed: int) -> nn.Module:
        own = drawn_model(model, seed)
        exec(code, {"model": own, "batch": model.shown, "nn": nn})
        return own

    return best_of_rates(build, model.task, optimizer)


def anyinit_of(model: Model) -> str:
    """AnyInit's answer on the weights as they are: "healthy", "unhealthy", or an error's name."""
    import anyinit

    own = drawn_model(model, 0)
    try:
        with weights_kept():
            report = anyinit.initialize(own, "analytic", model.shown[0])
        report.assert_healthy()
    except AssertionError:
        return "unhealthy"
    except Exception as error:
        return type(error).__name__
    return "healthy"


def _work(task: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    what, arguments = task
    model = Model(**arguments["model"])
    if what == "model":
        return {"what": what, "draw": arguments["draw"], **record_of(model)}
    if what == "reference":
        scores = {name: best_of_rates(partial(drawn_model, model), model.task, name) for name in RATES}
        return {"what": what, "draw": arguments["draw"], **asdict(model), "scores": scores}
    code = arguments["code"] or cure_of(model, arguments["optimizer"])
    scores, failed = [0.0] * len(STEPS), ""
    try:
        scores = cured(model, code, arguments["optimizer"]) if code else scores
    except Exception as error:  # another package's start may fail on a model; the page tells how many did
        failed = repr(error)
    return {
        "what": what,
        "number": model.number,
        **arguments,
        "code": code,
        "scores": scores,
        "failed": failed,
    }


def cure_of(model: Model, optimizer: str) -> str:
    """The lines that the diagnosis of the first draw gives."""
    found = diagnose(drawn_model(model, 0), model.shown, optimizer=optimizer)
    return found.cure.code if found.cure else ""


def tasks(draw: int, known: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What is still to be done: first the references, then the models, then starts for those that failed."""
    compared = {
        (each["family"], each["start"], each["data"]) for each in known if each["what"] == "reference"
    }
    for model in references():
        if (model.family, model.start, model.data) not in compared:
            yield "reference", {"draw": draw, "model": asdict(model)}
    own = [each for each in known if each["draw"] == draw]
    done = {each["number"] for each in own if each["what"] == "model"}
    for model in models_of(draw):
        if model.number not in done:
            yield "model", {"draw": draw, "model": asdict(model)}
    if len(done) < MODELS:
        return
    tried = {(each["number"], each["what"], each["optimizer"]) for each in own if each["what"] != "model"}
    for each in outcomes(known, draw):
        record, optimizer = each["record"], each["optimizer"]
        model = asdict(models_of(draw)[record["number"]])
        for what, code in {"cure": "", "anyinit": ANYINIT}.items():
            is_wanted = not each["trained"][-1] and not each["border"][-1]
            if is_wanted and (record["number"], what, optimizer) not in tried:
                yield what, {"draw": draw, "model": model, "optimizer": optimizer, "code": code}


def outcomes(known: list[dict[str, Any]], draw: int) -> list[dict[str, Any]]:
    """Of each model and optimizer, whether it reached `SHARE` of the reference's score.

    Where the reference itself scores less than `LEARNT` after the longer training, nothing is learnt so soon,
    and the model is left out for this optimizer; where it does after the shorter one, `LEARNT` stands for it.
    From `PARTLY` to `SHARE` of the score is the border, neither trained nor untrained.
    """
    good, found = reference_scores(known), []
    for record in (each for each in known if each["what"] == "model" and each["draw"] == draw):
        for optimizer, scores in record["scores"].items():
            level = good[record["family"], record["data"]][optimizer]
            if level[-1] < LEARNT:
                continue
            relative = [value / max(each, LEARNT) for value, each in zip(scores, level, strict=True)]
            trained = [value >= SHARE for value in relative]
            border = [PARTLY <= value < SHARE for value in relative]
            numbers = {"relative": relative, "trained": trained, "border": border}
            found.append({"record": record, "optimizer": optimizer, **numbers})
    return found


def reference_scores(known: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, list[float]]]:
    """By family and data, for each optimizer the scores of the start that is better in the end."""
    found: dict[tuple[str, str], dict[str, list[float]]] = {}
    for each in (each for each in known if each["what"] == "reference"):
        best = found.setdefault((each["family"], each["data"]), dict(each["scores"]))
        for optimizer, scores in each["scores"].items():
            best[optimizer] = max(best[optimizer], scores, key=lambda budgets: budgets[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("kept", type=Path)
    parser.add_argument("--draw", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--first", type=int, default=10 * MODELS)
    given = parser.parse_args()
    known = [json.loads(line) for line in given.kept.read_text().splitlines()] if given.kept.exists() else []
    todo = list(tasks(given.draw, known))
    context = multiprocessing.get_context("spawn")
    with given.kept.open("a") as file, context.Pool(given.jobs) as pool:
        for record in pool.imap_unordered(_work, todo[: given.first]):
            file.write(json.dumps(record) + "\n")
            file.flush()


if __name__ == "__main__":
    main()
