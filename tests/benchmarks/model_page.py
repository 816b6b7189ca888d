"""results/own_models: what `initlab.torch.diagnose` said of many models, and what came of them.

python tests/benchmarks/model_page.py KEPT      from the lines that model_verdicts.py has kept
"""

import csv
import json
import math
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from model_families import FAMILIES
from model_verdicts import (
    BATCH,
    LEARNT,
    PARTLY,
    RATES,
    SEEDS,
    SHARE,
    SHOWN,
    STEPS,
    outcomes,
    reference_scores,
)

from initlab.diagnosis.limits import TRAINS
from initlab.frameworks.steps import FirstSteps
from initlab.measure.intervals import Interval, mean_interval, proportion_interval
from initlab.plotting.elements import headline
from initlab.plotting.style import render

FOLDER = Path(__file__).parents[2] / "results" / "own_models"
DRAW = 3
EDGES = (0.01, 1e9)  # of the figure; what lies outside is drawn there
Outcome = dict[str, Any]


def verdict(each: Outcome) -> str:
    return str(each["record"]["verdicts"][each["optimizer"]]["verdict"])


def severity(each: Outcome) -> float:
    return float(each["record"]["verdicts"][each["optimizer"]]["severity"])


def gradient(each: Outcome) -> float:
    """The largest |ln| of a stage's gradient, relative to the last one's."""
    stages = each["record"]["verdicts"][each["optimizer"]]["stages"]
    values = [stage["gradient"] for stage in stages]
    return max((abs(math.log(v)) if 0 < v < math.inf else math.inf for v in values if v == v), default=0.0)


def first_steps(each: Outcome) -> FirstSteps:
    return FirstSteps(**each["record"]["verdicts"][each["optimizer"]]["first"])


def severity_says(each: Outcome) -> bool:
    """The verdict from the layers' numbers alone, without the first steps."""
    words = each["record"]["verdicts"][each["optimizer"]]["words"]
    return severity(each) <= TRAINS and not {"symmetric", "dead"} & set(words)


def is_right(each: Outcome, budget: int) -> bool:
    return bool(each["trained"][budget]) == (verdict(each) == "trains")


def decided(chosen: Sequence[Outcome], budget: int) -> list[Outcome]:
    """Without doubts and border cases."""
    return [each for each in chosen if verdict(each) != "in doubt" and not each["border"][budget]]


def best_limit(values: Sequence[float], trained: Sequence[bool]) -> float:
    """The limit up to which "trains" is right most often: chosen afterwards, an advantage."""
    limits = [*values, -math.inf]
    rights = [((np.array(values) <= limit) == np.array(trained)).sum() for limit in limits]
    return float(limits[int(np.argmax(rights))])


def share(successes: Sequence[bool]) -> str:
    if not len(successes):
        return "-"
    interval = proportion_interval(successes)
    return (
        f"{sum(successes)} of {len(successes)}: {interval.mean:.2f} [{interval.low:.2f}, {interval.high:.2f}]"
    )


def rates(chosen: Sequence[Outcome], budget: int, says: Callable[[Outcome], bool]) -> list[str]:
    """Sensitivity and specificity of a rule that says "trains"."""
    trained = [says(each) for each in chosen if each["trained"][budget]]
    others = [not says(each) for each in chosen if not each["trained"][budget]]
    return [share(trained), share(others)]


def says_anyinit(each: Outcome) -> bool:
    return bool(each["record"]["anyinit"] == "healthy")


def comparison(chosen: Sequence[Outcome], budget: int) -> list[list[str]]:
    """A row for each rule, on the models that the verdict decides."""
    own = decided(chosen, budget)
    limit = best_limit([gradient(each) for each in own], [each["trained"][budget] for each in own])
    rules: dict[str, Callable[[Outcome], bool]] = {
        "the verdict": lambda each: verdict(each) == "trains",
        "the layers' numbers alone": severity_says,
        "the gradient alone": lambda each: gradient(each) <= limit,
        "AnyInit's health check": says_anyinit,
    }
    right = np.array([is_right(each, budget) for each in own], float)
    rows = []
    for name, says in rules.items():
        other = np.array([says(each) == each["trained"][budget] for each in own], float)
        ahead: Interval | None = mean_interval(right - other) if name != "the verdict" else None
        text = f"{ahead.mean:+.2f} [{ahead.low:+.2f}, {ahead.high:+.2f}]" if ahead else ""
        rows.append([name, *rates(own, budget, says), f"{other.mean():.2f}", text])
    return rows


def with_border(chosen: Sequence[Outcome], budget: int) -> str:
    own = [each for each in chosen if verdict(each) != "in doubt"]
    sensitivity, specificity = rates(own, budget, lambda each: verdict(each) == "trains")
    return (
        f"With border cases counted as not trained, the verdict has the sensitivity {sensitivity} and the "
        f"specificity {specificity}."
    )


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def confusion(chosen: Sequence[Outcome], budget: int) -> list[list[object]]:
    rows: list[list[object]] = []
    for name in ("trains", "in doubt", "does not train"):
        own = [each for each in chosen if verdict(each) == name]
        trained, border = (sum(each[kind][budget] for each in own) for kind in ("trained", "border"))
        rows.append([name, trained, border, len(own) - trained - border])
    return rows


def by_family(chosen: Sequence[Outcome], budget: int) -> list[list[object]]:
    rows: list[list[object]] = []
    for family in FAMILIES:
        own = [each for each in chosen if each["record"]["family"] == family]
        sure = decided(own, budget)
        right = sum(is_right(each, budget) for each in sure)
        rows.append(
            [family, len(own), sum(each["trained"][budget] for each in own), f"{right} of {len(sure)}"]
        )
    return rows


def misses(chosen: Sequence[Outcome]) -> list[list[object]]:
    """The decided models of which the verdict is wrong after the longer training."""
    return [
        [
            *(each["record"][name] for name in ("family", "depth", "activation", "start", "data")),
            *(each["optimizer"], verdict(each), f"{first_steps(each).steps:.2g}", f"{severity(each):.1f}"),
            f"{each['record']['scores'][each['optimizer']][-1]:.2f}",
        ]
        for each in decided(chosen, -1)
        if not is_right(each, -1)
    ]


def cures(known: Sequence[dict[str, Any]], chosen: Sequence[Outcome]) -> str:
    """Of the models that did not train, how many train from the cure, from AnyInit's start."""
    good = reference_scores(known)
    found: dict[tuple[int, str], dict[str, bool]] = {}
    lines: dict[tuple[int, str], set[str]] = {}
    failures = Counter[str]()
    for each in (line for line in known if line["what"] in ("cure", "anyinit") and line["draw"] == DRAW):
        model, optimizer = each["model"], each["optimizer"]
        level = SHARE * good[model["family"], model["data"]][optimizer][-1]
        key = each["number"], optimizer
        lines.setdefault(key, set()).add(each["what"])
        failures[each["what"]] += bool(each["failed"])
        if each["code"]:
            found.setdefault(key, {})[each["what"]] = each["scores"][-1] >= level
    tried = {key for key, kinds in lines.items() if len(kinds) == 2}
    ill = [each for each in chosen if not each["trained"][-1] and not each["border"][-1]]
    keys = [(each["record"]["number"], each["optimizer"]) for each in ill]
    pairs = [found[key] for key in keys if key in tried]
    some = [pair for pair in pairs if any(pair.values())]
    told = [pair for pair in pairs if "cure" in pair]
    return (
        f"Both the cure and AnyInit's own start were tried on {len(pairs)} of the {len(ill)} that did not "
        f"train, border cases apart, after the longer training. {len(some)} of them train from one or the "
        f"other: from the cure {share([pair.get('cure', False) for pair in some])}, from AnyInit's start "
        f"{share([pair.get('anyinit', False) for pair in some])}. A cure was told for {len(told)}, and "
        f"helped {share([pair['cure'] for pair in told])}. Its lines were drawn from the first draw alone. "
        f"Of the cures {failures['cure']} failed with an error, of AnyInit's starts {failures['anyinit']}."
    )


def figure(chosen: Sequence[Outcome]) -> Figure:
    own = decided(chosen, -1)
    picture = Figure(figsize=(9.6, 4.2))
    right = sum(is_right(each, -1) for each in own)
    headline(picture, f"The verdict is right in {right} of the {len(own)} cases that it decides")
    panels = picture.subplots(1, 2, sharey=True)
    groups = {"perceptron": "#000000", "norm": "#0072B2", "other": "#D55E00"}
    for axes, optimizer in zip(panels, RATES, strict=True):
        for group, color in groups.items():
            some = [e for e in chosen if e["optimizer"] == optimizer and group_of(e) == group]
            x = [min(max(first_steps(each).steps, EDGES[0]), EDGES[1]) for each in some]
            y = [min(max(each["relative"][-1], -0.04), 1.16) for each in some]
            axes.plot(x, y, "o", color=color, alpha=0.6, markersize=4, label=LABELS[group])
        axes.axhspan(PARTLY, SHARE, color="black", alpha=0.12, linewidth=0)
        usual = FirstSteps(loss=1.0, pull=1.0, highest=1.0, optimizer=optimizer).usual
        for limit in (usual.soon, usual.late):
            axes.axvline(limit, color="black", linewidth=1, linestyle="--")
        axes.set(xscale="log", xlim=(EDGES[0] / 2, 2 * EDGES[1]), ylim=(-0.06, 1.2), title=optimizer)
        axes.set_xlabel("steps needed, from gradients before training")
    panels[0].set_ylabel("score, as a share of the reference's")
    panels[1].legend(loc="upper right", fontsize=8)
    return picture


LABELS = {"perceptron": "perceptrons", "norm": "with normalization", "other": "others"}


def group_of(each: Outcome) -> str:
    family = each["record"]["family"]
    if family == "perceptron":
        return "perceptron"
    is_normalized = any(word in family for word in ("Norm", "transformer", "mixer", "language"))
    return "norm" if is_normalized else "other"


PAGE = """\
# Is the verdict on a model of PyTorch right?

{models} models of {families} families are drawn by chance: depth, activation function, start and data
(MNIST and Fashion-MNIST of 14 x 14 pixels, a synthetic text). Each is diagnosed by `initlab.torch.diagnose`
from {shown} samples and {seeds} draws, and then trained: by SGD at the rates {sgd} and by Adam at {adam}, in
batches of {batch}, for {steps} steps. The rate is that of the first draw's best score in the end on examples
held out; {seeds} draws train at it. A model has trained if its middle draw reaches {share} of the score of a
shallow model of its family, from He's or PyTorch's weights, whichever is better, trained alike. One that
reaches {partly} but not that is a border case, and counted apart. A score is the share of right answers, of
autoencoders the share of the variance explained. {left} of the {cases} cases, of a model and an optimizer,
are left out: there even the shallow model scores less than {learnt}. The limits were fitted to 171 other
models, before any of these was trained. "In doubt" predicts nothing, and is counted apart. Tried before:
limits fitted to 67 models, held against 120 of these 171, had a sensitivity of 0.96 and a specificity of 0.67
after 300 steps, border cases counted as not trained.

![steps](steps.png)

Points at the edges lie beyond them. Dashed: up to the first line few steps are needed; beyond the second the
model does not train. Grey: border cases; above it a model has trained.

{tables}

## By family, after {last} steps

{by_family}

## Where it is wrong, after {last} steps

{misses}

## Cures

{cures}

All models are in [models.csv](models.csv). Written by `tests/benchmarks/model_verdicts.py` and
`model_page.py` with PyTorch {version}. AnyInit {anyinit} checks the weights as they are: it is kept from
writing its own. Where it cannot trace a model, it has no answer, which counts as not healthy.
"""


def main() -> None:
    known = [json.loads(line) for line in Path(sys.argv[1]).read_text().splitlines()]
    chosen = outcomes(known, DRAW)
    models = sum(each["what"] == "model" and each["draw"] == DRAW for each in known)
    parts = []
    for budget, steps in enumerate(STEPS):
        header = ["rule", "sensitivity", "specificity", "right", "the verdict is ahead by"]
        parts += [
            f"## After {steps} steps\n",
            table(["verdict", "trained", "border", "did not"], confusion(chosen, budget)) + "\n",
            "Of the models that the verdict decides, without border cases:\n",
            table(header, comparison(chosen, budget)) + "\n",
            with_border(chosen, budget) + "\n",
        ]
    FOLDER.mkdir(parents=True, exist_ok=True)
    picture = figure(chosen)
    (FOLDER / "steps.png").write_bytes(render(picture, "png"))
    wrong = ["family", "depth", "activation", "start", "data", "optimizer"]
    wrong += ["verdict", "steps needed", "severity", "score"]
    page = PAGE.format(
        models=models,
        cases=len(RATES) * models,
        left=len(RATES) * models - len(chosen),
        learnt=LEARNT,
        families=len(FAMILIES),
        shown=SHOWN,
        seeds=SEEDS,
        sgd=listed(RATES["sgd"]),
        adam=listed(RATES["adam"]),
        batch=BATCH,
        steps=listed(STEPS),
        last=STEPS[-1],
        share=SHARE,
        partly=PARTLY,
        tables="\n".join(parts).rstrip(),
        by_family=table(["family", "models x optimizers", "trained", "right"], by_family(chosen, -1)),
        misses=table(wrong, misses(chosen)),
        cures=cures(known, chosen),
        version=torch.__version__.partition("+")[0],
        anyinit="0.4.0",
    )
    (FOLDER / "README.md").write_text(page, encoding="utf-8")
    write_models(chosen)


def listed(numbers: Sequence[float]) -> str:
    *most, last = (f"{number:g}" for number in numbers)
    return f"{', '.join(most)} and {last}"


def write_models(chosen: Sequence[Outcome]) -> None:
    names = ("family", "depth", "activation", "start", "data")
    with (FOLDER / "models.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        numbers = ("steps", "highest_rate", "severity")
        rows.writerow([*names, "optimizer", "verdict", *numbers, "anyinit", *(f"score_{s}" for s in STEPS)])
        for each in chosen:
            record, optimizer = each["record"], each["optimizer"]
            scores = [f"{value:.3f}" for value in record["scores"][optimizer]]
            found = first_steps(each)
            values = (f"{value:.3g}" for value in (found.steps, found.highest, severity(each)))
            own = [optimizer, verdict(each), *values, record["anyinit"]]
            rows.writerow([*(record[name] for name in names), *own, *scores])


if __name__ == "__main__":
    main()
