"""A model of PyTorch as many write it: its diagnosis, and training before and after the cure.

    pip install 'torch==2.13.0'
    python tests/benchmarks/own_model.py

Twelve layers of 100 GELU units from nn.Linear's default weights learn MNIST in batches of 64 for 500 steps,
with three optimizers and three seeds; then the same models after the lines that `diagnose` gives. The page is
results/own_model/README.md.
"""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from initlab.data.examples import examples_of
from initlab.torch import diagnose

DEPTH, WIDTH, STEPS, BATCH, SEEDS = 12, 100, 500, 64, 3
OPTIMIZERS = {
    "SGD, 0.01": lambda parameters: torch.optim.SGD(parameters, lr=0.01),
    "SGD, 0.1": lambda parameters: torch.optim.SGD(parameters, lr=0.1),
    "Adam, 0.001": lambda parameters: torch.optim.Adam(parameters, lr=1e-3),
}
PAGE = """\
# The verdict on a model of your own

{about}

```python
{source}
print(diagnose(build, batch))
```

```
{diagnosis}
```

The lines that cure it, `diagnose(build, batch).cure.code`:

```python
{code}
```

Test accuracy after {steps} steps of {batch} images, the mean of {seeds} seeds and their range:

| optimizer | nn.Linear's default | after these lines |
|---|---|---|
{rows}

`initlab diagnose module:build --data module:batch` prints the same. The model stays as it is: a copy runs,
and the random generators are put back. `init_(model, scheme, batch)` draws any scheme of `initlab schemes` in
place, `schemes_of(model)` says from which schemes the weights were drawn, and `width_check(build, batch)`
whether a rate that suits a narrow model suits a wide one.

The verdict is that of the first steps: some more passes tell how many it takes to tell images apart, and
from which rate they overshoot. [How often it is right](../own_models/README.md).

Written by `tests/benchmarks/own_model.py` with PyTorch {version}.
"""
SOURCE = f"""\
from torch import nn
from initlab.torch import diagnose

def build():
    layers = [nn.Linear(784, {WIDTH}), nn.GELU()]
    for _ in range({DEPTH - 1}):
        layers += [nn.Linear({WIDTH}, {WIDTH}), nn.GELU()]
    return nn.Sequential(*layers, nn.Linear({WIDTH}, 10))
"""


def accuracy(model: nn.Module, make: object, data: tuple[torch.Tensor, ...], seed: int) -> float:
    """On the test images, after training."""
    inputs, labels, test_inputs, test_labels = data
    optimizer = make(model.parameters())
    generator = torch.Generator().manual_seed(seed)
    for _ in range(STEPS):
        chosen = torch.randint(len(inputs), (BATCH,), generator=generator)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs[chosen]), labels[chosen]).backward()
        optimizer.step()
    with torch.no_grad():
        return float((model(test_inputs).argmax(1) == test_labels).float().mean())


def cell(values: list[float]) -> str:
    return f"{np.mean(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def main() -> None:
    torch.set_num_threads(1)
    names: dict[str, object] = {}
    exec(SOURCE, names)
    build = names["build"]
    examples = examples_of("mnist")
    arrays = (examples.train_inputs[:], examples.train_labels, examples.test_inputs[:], examples.test_labels)
    data = tuple(torch.from_numpy(np.array(array)) for array in arrays)
    batch = data[0][:300], data[1][:300]
    diagnosis = diagnose(build, batch)
    rows = []
    for name, make in OPTIMIZERS.items():
        before, after = [], []
        for seed in range(SEEDS):
            torch.manual_seed(seed)
            model = build()
            before.append(accuracy(model, make, data, seed))
            torch.manual_seed(seed)
            model = build()
            exec(diagnosis.cure.code, {"model": model, "batch": batch, "nn": nn})
            after.append(accuracy(model, make, data, seed))
        rows.append(f"| {name} | {cell(before)} | {cell(after)} |")
    about = (
        f"{DEPTH} layers of {WIDTH} GELU units, as many people write them. `batch` holds 300 images of MNIST "
        "and their labels."
    )
    page = PAGE.format(
        about=about,
        source=SOURCE.rstrip() + "\n",
        diagnosis=diagnosis,
        code=diagnosis.cure.code,
        steps=STEPS,
        batch=BATCH,
        seeds=SEEDS,
        rows="\n".join(rows),
        version=torch.__version__.partition("+")[0],
    )
    target = Path(__file__).parents[2] / "results" / "own_model" / "README.md"
    target.parent.mkdir(exist_ok=True)
    target.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
