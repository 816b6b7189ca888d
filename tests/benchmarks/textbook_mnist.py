"""The main job as a textbook program does it: float64, one network after the other, then a figure.

python tests/benchmarks/textbook_mnist.py FIGURE.png
"""

import gzip
import sys
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import matplotlib
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from textbook import Network

matplotlib.use("Agg")
import matplotlib.pyplot as plt

SIZES, STEPS, BATCH, LR = [784, 100, 100, 100, 100, 10], 2000, 128, 0.01
LARGEST = 1.8e19
STDS = {
    "std=1": lambda _: 1.0,
    "std=0.01": lambda _: 0.01,
    "Xavier": lambda n: np.sqrt(1 / n),
    "He": lambda n: np.sqrt(2 / n),
}


def read(name, offset):
    return np.frombuffer(
        gzip.decompress((files("initlab.data") / "mnist" / name).read_bytes()), np.uint8, -1, offset
    )


def main(figure):
    images = read("train-images-idx3-ubyte.gz", 16).reshape(-1, 784) / 255.0
    labels = read("train-labels-idx1-ubyte.gz", 8)
    test_images = read("t10k-images-idx3-ubyte.gz", 16).reshape(-1, 784) / 255.0
    test_labels = read("t10k-labels-idx1-ubyte.gz", 8)
    np.seterr(all="ignore")
    for label, std in STDS.items():
        for seed in range(5):
            rng = np.random.default_rng(seed)
            weights = [std(n) * rng.standard_normal((n, m)) for n, m in pairwise(SIZES)]
            network = Network(weights, [np.zeros(m) for m in SIZES[1:]], "relu")
            losses = []
            for _ in range(STEPS):
                chosen = rng.integers(len(images), size=BATCH)
                losses.append(network.step(images[chosen], labels[chosen], LR))
                if not losses[-1] < LARGEST:  # it has diverged, and is stopped, as initlab stops it
                    break
            print(label, seed, np.mean(losses[-100:]), network.accuracy(test_images, test_labels))
            plt.plot(losses)
    plt.savefig(figure)


if __name__ == "__main__":
    main(sys.argv[1])
