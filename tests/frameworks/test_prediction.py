"""Theory of models: closed forms for chains, and wide models of each kind that theory speaks of."""

import math

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from initlab.frameworks.prediction import predict  # noqa: E402
from initlab.frameworks.torch_trace import trace  # noqa: E402
from initlab.torch import diagnose, init_  # noqa: E402

WIDTH = 400
GENERATOR = torch.Generator().manual_seed(0)
BATCH = torch.randn(64, WIDTH, generator=GENERATOR), torch.randint(5, (64,), generator=GENERATOR)


class Residual(nn.Module):
    def __init__(self, *branch):
        super().__init__()
        self.branch = nn.Sequential(*branch)

    def forward(self, x):
        return x + self.branch(x)


def linear():
    return nn.Linear(WIDTH, WIDTH)


MODELS = {
    "relu": lambda: [layer for _ in range(5) for layer in (linear(), nn.ReLU())],
    "tanh": lambda: [layer for _ in range(5) for layer in (linear(), nn.Tanh())],
    "swish": lambda: [layer for _ in range(5) for layer in (linear(), nn.SiLU())],
    "residual": lambda: [linear(), *[Residual(nn.ReLU(), linear()) for _ in range(4)]],
    "normalized": lambda: [linear(), *[Residual(nn.LayerNorm(WIDTH), linear(), nn.Tanh()) for _ in range(4)]],
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("scheme", "error"), [("he", 0.15), ("torch:linear", 0.3)])
def test_wide_models_behave_as_predicted(name, scheme, error):
    """From nn.Linear's weights all samples come to look alike, so that they average little."""
    torch.manual_seed(0)
    model = init_(nn.Sequential(*MODELS[name](), nn.Linear(WIDTH, 5)), scheme, BATCH)
    stages = diagnose(model, BATCH, cure=False).stages
    assert len(stages) == 5
    for stage in stages:
        assert stage.predicted_signal == pytest.approx(stage.numbers["signal"], rel=error)
        assert stage.predicted_gradient == pytest.approx(stage.numbers["gradient"], rel=2 * error)


def test_a_convolution_counts_its_kernel_and_biases_add():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 50, 3, bias=True), nn.ReLU(), nn.Conv2d(50, 300, 3), nn.Flatten())
    model = nn.Sequential(*model, nn.Linear(300 * 64, 5))
    images = torch.randn(16, 3, 12, 12, generator=GENERATOR)
    found = trace(model, (images, BATCH[1][:16]))
    expected = 27 * float(model[0].weight.detach().square().mean()) * float(images.square().mean())
    expected += float(model[0].bias.detach().square().mean())
    first, second = (predict(found)[each.index] for each in found.operations if each.kind == "conv2d")
    assert first.square == pytest.approx(expected, rel=1e-5)
    measured = found.operations[2].square
    assert second.square == pytest.approx(measured, rel=0.2)


class Upwards(nn.Module):
    """Two convolutions, a transposed one of stride 2 or in groups, and one more."""

    def __init__(self, stride=2, kernel=4, groups=1):
        super().__init__()
        self.stem, self.head = nn.Conv2d(3, 60, 3), nn.Conv2d(60, 60, 1)
        self.up = nn.ConvTranspose2d(60, 60, kernel, stride=stride, groups=groups)
        self.last = nn.Linear(60 * ((8 - 1) * stride + kernel) ** 2, 5)

    def forward(self, x):
        x = torch.relu(self.head(torch.relu(self.up(torch.relu(self.stem(x))))))
        return self.last(x.flatten(1))


@pytest.mark.parametrize(("stride", "kernel", "groups"), [(1, 1, 1), (2, 2, 1), (2, 4, 1), (3, 4, 2)])
def test_a_transposed_convolution_sums_fewer_inputs_the_more_it_stretches(stride, kernel, groups):
    torch.manual_seed(0)
    images = torch.randn(16, 3, 10, 10, generator=GENERATOR)
    model = init_(Upwards(stride, kernel, groups), "he", (images, BATCH[1][:16]))
    found = trace(model, (images, BATCH[1][:16]))
    up = next(each for each in found.operations if each.kind == "conv_transpose2d")
    assert predict(found)[up.index].square == pytest.approx(up.square, rel=0.15)
    stem = next(each for each in found.operations if each.kind == "conv2d")
    measured = stem.gradient / next(each.gradient for each in found.operations if each.module == "head")
    assert predict(found)[stem.index].gradient == pytest.approx(measured, rel=0.4)
    if groups == 1:  # from He's weights a layer behind ReLU has the mean square of the layer before
        assert up.square == pytest.approx(stem.square, rel=0.15)


def test_theory_is_silent_where_it_knows_nothing():
    model = nn.Sequential(
        nn.Linear(WIDTH, 40), nn.Softmax(-1), nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, 5)
    )
    stages = diagnose(model, BATCH, cure=False).stages
    assert stages[0].predicted_signal == 1
    assert math.isnan(stages[1].predicted_signal)
