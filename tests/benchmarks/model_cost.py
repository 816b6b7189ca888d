"""What a diagnosis of a PyTorch model costs: its time in training steps, its memory against that of a step.

python tests/benchmarks/model_cost.py      with PyTorch; a few minutes
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from model_families import gpt, mlp, resnet, vit
from torch import Tensor, nn

from initlab.torch import diagnose

HERE = Path(__file__).parent
REPEATS = 5
MODELS: dict[str, Callable[[], nn.Module]] = {
    "perceptron, 8 x 1000": lambda: mlp(8, nn.ReLU, width=1000),
    "resnet, BatchNorm, 8 blocks of 32": lambda: resnet(8, nn.ReLU, norm=True, channels=32),
    "vision transformer, 4 blocks of 96": lambda: vit(4, nn.GELU, width=96),
    "language model, 6 blocks of 128": lambda: gpt(6, nn.GELU, width=128),
}


def batch_for(name: str) -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    if name.startswith("language"):
        return torch.randint(16, (64, 16)), torch.randint(16, (64, 16))
    return torch.rand(64, 1, 14, 14), torch.randint(10, (64,))


def step(model: nn.Module, batch: tuple[Tensor, Tensor], rule: torch.optim.Optimizer) -> None:
    inputs, targets = batch
    rule.zero_grad()
    nn.functional.cross_entropy(model(inputs).flatten(0, -2), targets.flatten()).backward()
    rule.step()


def seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def times(name: str) -> tuple[float, float]:
    """Milliseconds of a step, and how many steps a diagnosis takes; medians, measured in turn."""
    model, batch = MODELS[name](), batch_for(name)
    rule = torch.optim.SGD(model.parameters(), lr=1e-6)
    step(model, batch, rule), diagnose(model, batch, cure=False)
    plain, ours = [], []
    for _ in range(REPEATS):
        plain.append(statistics.median(seconds(lambda: step(model, batch, rule)) for _ in range(5)))
        ours.append(seconds(lambda: diagnose(model, batch, cure=False)))
    ratios = [one / other for one, other in zip(ours, plain, strict=True)]
    return 1000 * statistics.median(plain), statistics.median(ratios)


def peak(name: str, what: str) -> float:
    """Megabytes above those of the model at rest, in a process of its own."""
    code = f"from model_cost import measured_peak; print(measured_peak({name!r}, {what!r}))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=HERE)
    return float(run.stdout)


def measured_peak(name: str, what: str) -> float:
    model, batch = MODELS[name](), batch_for(name)
    rule = torch.optim.SGD(model.parameters(), lr=1e-6)  # before, for it loads much of PyTorch
    before = high_water()
    if what == "step":
        step(model, batch, rule)
    else:
        diagnose(model, batch, cure=False)
    return high_water() - before


def high_water() -> float:
    """The most memory that this process has had, in megabytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def main() -> None:
    torch.set_num_threads(1)
    for name in MODELS:
        milliseconds, steps = times(name)
        memory = {what: peak(name, what) for what in ("step", "diagnosis")}
        print(
            f"{name}: a step takes {milliseconds:.0f} ms; a diagnosis takes {steps:.1f} steps, and "
            f"{memory['diagnosis']:.0f} MB where a step takes {memory['step']:.0f}"
        )


if __name__ == "__main__":
    main()
