"""Twenty LeNets of MNIST against PyTorch, side by side in one run.

    pip install -e '.[bench]' && python tests/benchmarks/convolution.py

A step trains all networks on one batch: two convolutions of 5 x 5 with pooling, and a dense layer of 100.
PyTorch trains them in one stack, whose convolutions are grouped, or one after the other; in one process that
has all cores, or in a process for each core. initlab has a process for each core. Rounds as in
`engine.py`. Writes `results/benchmarks/convolution.csv`.
"""

from statistics import median

import engine

HIDDEN = ("conv(16, kernel=5)", "pool(2)", "conv(32, kernel=5)", "pool(2)", 100)
LENETS = engine.Workload("LeNet, batch 100", HIDDEN, "relu", 100, 20)
ARRANGEMENTS = {
    "initlab": [engine.COHORTS],
    "torch_grouped": [engine.WHOLE, engine.SHARES],
    "torch_lenets": [engine.WHOLE, engine.SHARES],
}


def main() -> None:
    engine.ARRANGEMENTS.clear()
    engine.ARRANGEMENTS.update(ARRANGEMENTS)
    machine = engine.Machine()
    rows = engine.compare(machine, [LENETS])
    engine.write("convolution.csv", rows)
    print(f"foreign load: median {median(machine.foreign):.3f}; rounds thrown away: {machine.thrown_away}")


if __name__ == "__main__":
    main()
