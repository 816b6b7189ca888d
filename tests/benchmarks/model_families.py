"""Models of PyTorch of fourteen families, small enough to be trained by the hundred, and data for them.

A family is a function (depth, activation) -> model. Its task is images of 14 x 14 pixels in ten classes (also
row by row, also to be reconstructed), or text in which nine of ten letters follow from the one before.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from initlab.data.datasets import open_dataset

FASHION = Path("/usr/share/datasets/fashion-mnist")  # where Debian's package puts it
SIDE, CLASSES, LETTERS, LENGTH = 14, 10, 16, 16
ACTIVATIONS = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "sigmoid": nn.Sigmoid,
    "elu": nn.ELU,
    "softplus": nn.Softplus,
}


@dataclass(frozen=True)
class Family:
    """How models of one kind are built.

    Attributes:
        build: (depth, activation's class) -> model.
        depths: the smallest and the largest.
        task: "images", "rows", "reconstruction" or "text".
        activations: names in `ACTIVATIONS`.
    """

    build: Callable[[int, type[nn.Module]], nn.Module]
    depths: tuple[int, int]
    task: str = "images"
    activations: tuple[str, ...] = ("relu", "tanh", "gelu", "silu")


class Residual(nn.Module):
    """x + branch(x), and then perhaps a function of it."""

    def __init__(self, branch: nn.Module, after: nn.Module | None = None) -> None:
        super().__init__()
        self.branch, self.after = branch, after

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.branch(x)
        return x if self.after is None else self.after(x)


class Transposed(nn.Module):
    """A module that works on tokens as if they were channels."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        return self.module(x.transpose(1, 2)).transpose(1, 2)


class Patches(nn.Module):
    """Images -> 49 patches of 2 x 2 pixels, (B, 49, 4)."""

    def forward(self, x: Tensor) -> Tensor:
        return F.unfold(x, 2, stride=2).transpose(1, 2)


class Mean(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean(1)


class Positions(nn.Module):
    def __init__(self, length: int, width: int) -> None:
        super().__init__()
        self.table = nn.Parameter(0.02 * torch.randn(length, width))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.table


class Attention(nn.Module):
    """Self-attention with four heads, causal or not."""

    def __init__(self, width: int, causal: bool) -> None:
        super().__init__()
        self.causal = causal
        self.projections, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        B, T, C = x.shape
        q, k, v = (part.view(B, T, 4, C // 4).transpose(1, 2) for part in self.projections(x).split(C, dim=2))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        return self.out(y.transpose(1, 2).reshape(B, T, C))


class Rows(nn.Module):
    """An LSTM that reads an image row by row."""

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.lstm, self.head = nn.LSTM(SIDE, 32, layers, batch_first=True), nn.Linear(32, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        _, (hidden, _) = self.lstm(x[:, 0])
        return self.head(hidden[-1])


class Dense(nn.Module):
    """Every layer takes the channels of all before it."""

    def __init__(self, depth: int, activation: type[nn.Module]) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 3, stride=2, padding=1)
        self.layers = nn.ModuleList(nn.Conv2d(8 + 4 * i, 4, 3, padding=1) for i in range(depth))
        self.act, self.head = activation(), nn.Linear(8 + 4 * depth, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for layer in self.layers:
            x = torch.cat([x, layer(self.act(x))], dim=1)
        return self.head(self.act(x).mean((2, 3)))


def mlp(depth: int, act: type[nn.Module], norm: bool = False, width: int = 64) -> nn.Module:
    layers: list[nn.Module] = [nn.Flatten()]
    for n_in in [SIDE * SIDE] + [width] * (depth - 1):
        layers += [nn.Linear(n_in, width), *([nn.LayerNorm(width)] if norm else []), act()]
    return nn.Sequential(*layers, nn.Linear(width, CLASSES))


def residual_mlp(depth: int, act: type[nn.Module], norm: bool = False, width: int = 64) -> nn.Module:
    def block() -> nn.Module:
        first = [nn.LayerNorm(width)] if norm else []
        return Residual(nn.Sequential(*first, nn.Linear(width, width), act(), nn.Linear(width, width)))

    stem = [nn.Flatten(), nn.Linear(SIDE * SIDE, width)]
    return nn.Sequential(*stem, *(block() for _ in range(depth)), nn.Linear(width, CLASSES))


def convnet(depth: int, act: type[nn.Module], norm: bool = False, channels: int = 8) -> nn.Module:
    layers: list[nn.Module] = []
    for layer in range(depth):
        n_in, stride = (1, 2) if layer == 0 else (channels, 1)
        layers += [nn.Conv2d(n_in, channels, 3, stride=stride, padding=1)]
        layers += [*([nn.BatchNorm2d(channels)] if norm else []), act()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(49 * channels, CLASSES))


def resnet(depth: int, act: type[nn.Module], norm: bool = False, channels: int = 8) -> nn.Module:
    def conv() -> list[nn.Module]:
        layer = nn.Conv2d(channels, channels, 3, padding=1, bias=not norm)
        return [layer, *([nn.BatchNorm2d(channels)] if norm else [])]

    blocks = [Residual(nn.Sequential(*conv(), act(), *conv()), act()) for _ in range(depth)]
    stem = nn.Conv2d(1, channels, 3, stride=2, padding=1)
    return nn.Sequential(
        stem, act(), *blocks, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * channels, CLASSES)
    )


def mixer(depth: int, act: type[nn.Module], width: int = 24) -> nn.Module:
    def branch(n: int) -> nn.Module:
        return nn.Sequential(nn.Linear(n, 2 * n), act(), nn.Linear(2 * n, n))

    blocks = [
        block
        for _ in range(depth)
        for block in (
            Residual(nn.Sequential(nn.LayerNorm(width), Transposed(branch(49)))),
            Residual(nn.Sequential(nn.LayerNorm(width), branch(width))),
        )
    ]
    return nn.Sequential(Patches(), nn.Linear(4, width), *blocks, Mean(), nn.Linear(width, CLASSES))


def transformer(depth: int, act: type[nn.Module], width: int, causal: bool, first: bool) -> list[nn.Module]:
    """Blocks with normalization before the branches, or after the sums."""

    def branches() -> list[nn.Module]:
        mlp = nn.Sequential(nn.Linear(width, 2 * width), act(), nn.Linear(2 * width, width))
        return [Attention(width, causal), mlp]

    return [
        Residual(nn.Sequential(nn.LayerNorm(width), branch))
        if first
        else Residual(branch, nn.LayerNorm(width))
        for _ in range(depth)
        for branch in branches()
    ]


def vit(depth: int, act: type[nn.Module], first: bool = True, width: int = 24) -> nn.Module:
    blocks = transformer(depth, act, width, causal=False, first=first)
    stem = [Patches(), nn.Linear(4, width), Positions(49, width)]
    return nn.Sequential(*stem, *blocks, nn.LayerNorm(width), Mean(), nn.Linear(width, CLASSES))


def gpt(depth: int, act: type[nn.Module], width: int = 32) -> nn.Module:
    blocks = transformer(depth, act, width, causal=True, first=True)
    stem = [nn.Embedding(LETTERS, width), Positions(LENGTH, width)]
    return nn.Sequential(*stem, *blocks, nn.LayerNorm(width), nn.Linear(width, LETTERS))


def autoencoder(depth: int, act: type[nn.Module]) -> nn.Module:
    half = [round(196 * (24 / 196) ** (i / depth)) for i in range(depth + 1)]
    sizes = half + half[-2::-1]
    layers: list[nn.Module] = [nn.Flatten()]
    for n_in, n_out in pairwise(sizes):
        layers += [nn.Linear(n_in, n_out), act()]
    return nn.Sequential(*layers[:-1], nn.Unflatten(1, (1, SIDE, SIDE)))


ALL = tuple(ACTIVATIONS)
FAMILIES = {
    "perceptron": Family(mlp, (3, 30), activations=ALL),
    "perceptron, LayerNorm": Family(lambda d, a: mlp(d, a, norm=True), (3, 30), activations=ALL),
    "residual perceptron": Family(residual_mlp, (2, 16)),
    "convnet": Family(convnet, (3, 24), activations=ALL),
    "convnet, BatchNorm": Family(lambda d, a: convnet(d, a, norm=True), (3, 24), activations=ALL),
    "resnet without normalization": Family(resnet, (2, 10)),
    "resnet, BatchNorm": Family(lambda d, a: resnet(d, a, norm=True), (2, 10)),
    "densenet": Family(Dense, (3, 12)),
    "mixer": Family(mixer, (1, 6)),
    "vision transformer": Family(vit, (1, 6), activations=("relu", "gelu")),
    "post-norm transformer": Family(
        lambda d, a: vit(d, a, first=False), (1, 6), activations=("relu", "gelu")
    ),
    "language model": Family(gpt, (1, 8), "text", ("relu", "gelu")),
    "autoencoder": Family(autoencoder, (1, 10), "reconstruction", ("relu", "tanh", "gelu", "sigmoid")),
    "LSTM": Family(lambda d, _: Rows(d), (1, 4), "rows", ("tanh",)),
}


@dataclass(frozen=True)
class Task:
    """Examples for training, for the choice of a rate, and for the test: (inputs, targets) each."""

    train: tuple[Tensor, Tensor]
    choice: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]

    def score(self, output: Tensor, targets: Tensor) -> float:
        """The share of right classes or letters; of the variance that is explained, for reconstructions."""
        if targets.is_floating_point():
            return 1 - float((output - targets).square().mean() / targets.var(dim=0).mean())
        return float((output.argmax(-1) == targets).float().mean())


@cache
def task_of(name: str, data: str) -> Task:
    """The task of a family, with its data: "mnist" or "fashion_mnist"."""
    if name == "text":
        return Task(*(text(count, seed) for seed, count in enumerate((20_000, 500, 500))))
    images, labels, test_images, test_labels = pictures(data)
    held_out = len(images) - 2000
    parts = [
        (images[:held_out], labels[:held_out]),
        (images[held_out : held_out + 500], labels[held_out : held_out + 500]),
        (test_images[:1000], test_labels[:1000]),
    ]
    return Task(*((x, x) if name == "reconstruction" else (x, y) for x, y in parts))


def pictures(data: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Images of 14 x 14 pixels from 0 to 1, each the mean of four, and labels."""
    opened = open_dataset("mnist") if data == "mnist" else open_dataset(path=FASHION)
    found = []
    for images, labels in (
        (opened.train_images, opened.train_labels),
        (opened.test_images, opened.test_labels),
    ):
        full = torch.from_numpy(np.array(images, np.float32)).reshape(-1, 1, 28, 28) / 255
        found += [F.avg_pool2d(full, 2), torch.from_numpy(np.array(labels, np.int64))]
    return tuple(found)  # type: ignore[return-value]


def text(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Sequences, and each letter's successor: nine of ten are those of a fixed table."""
    table = np.random.default_rng(0).permutation(LETTERS)
    rng = np.random.default_rng(seed + 1)
    letters = rng.integers(LETTERS, size=(count, LENGTH + 1))
    follows = rng.random((count, LENGTH + 1)) < 0.9
    for t in range(1, LENGTH + 1):
        letters[:, t] = np.where(follows[:, t], table[letters[:, t - 1]], letters[:, t])
    tensor = torch.from_numpy(letters)
    return tensor[:, :-1], tensor[:, 1:]
