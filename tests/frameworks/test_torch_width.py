"""The coordinate check: logits of standard models change more with width, those of muP models do not."""

import math

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from initlab.errors import UsageError  # noqa: E402
from initlab.torch import width_check  # noqa: E402

GENERATOR = torch.Generator().manual_seed(0)
BATCH = torch.randn(40, 20, generator=GENERATOR), torch.randint(5, (40,), generator=GENERATOR)
HOW = {"widths": (64, 128, 256, 512), "seeds": 4, "steps": 3}


def perceptron(width):
    layers = [nn.Linear(20, width), nn.Linear(width, width), nn.Linear(width, 5)]
    for layer in layers:
        nn.init.normal_(layer.weight, std=layer.in_features**-0.5)
        nn.init.zeros_(layer.bias)
    return nn.Sequential(layers[0], nn.Tanh(), layers[1], nn.Tanh(), layers[2])


def mup(width):
    """Yang et al. 2021, table 3: the output layer's variance is 1 / n_in^2."""
    model = perceptron(width)
    nn.init.normal_(model[4].weight, std=1 / width)
    return model


def mup_sgd(model):
    """Table 3, SGD: rates times n_out for input weights and biases, over n_in for the output weights."""
    width = model[0].out_features
    groups = [
        {"params": [model[0].weight, model[0].bias, model[2].bias], "lr": 0.1 * width / 64},
        {"params": [model[2].weight, model[4].bias], "lr": 0.1},
        {"params": [model[4].weight], "lr": 0.1 * 64 / width},
    ]
    return torch.optim.SGD(groups)


def test_logits_of_standard_models_change_more_with_width():
    check = width_check(perceptron, BATCH, **HOW)
    assert [layer.layer for layer in check.layers] == ["Linear 0", "Linear 2", "Linear 4"]
    assert check.layers[-1].words == "grows with width"
    assert "A rate tuned at width 64 is too large at 512" in repr(check)


def test_in_mup_all_changes_keep_their_size():
    check = width_check(mup, BATCH, optimizer=mup_sgd, **HOW)
    assert all(abs(layer.exponent) < 0.25 for layer in check.layers), check
    assert "suits 512" in check.sentence()


def test_the_exponent_is_that_of_the_changes():
    """A model whose output is its width times a parameter that moves by 1 in each step."""

    class Scaled(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.inner, self.width = nn.Linear(1, 1, bias=False), width

        def forward(self, x):
            return self.inner(x) * self.width

    def loss(output, _targets):
        return output.mean()

    ones = torch.ones(4, 1)
    check = width_check(Scaled, (ones, ones), widths=(2, 4, 8), steps=2, seeds=2, loss=loss)
    assert check.layers[0].exponent == pytest.approx(1, abs=1e-4)
    assert check.layers[0].changes[:, 0] == pytest.approx([0.4, 0.8, 1.6], rel=1e-4)


def test_the_figure_has_a_line_for_each_layer_and_random_states_stay():
    before = torch.get_rng_state()
    check = width_check(perceptron, BATCH, widths=(8, 16, 32), seeds=2, steps=1)
    assert torch.equal(before, torch.get_rng_state())
    assert len(check.figure().axes[0].lines) == 3
    assert all(math.isfinite(layer.margin) for layer in check.layers)


@pytest.mark.parametrize(
    ("build", "how", "message"),
    [
        (perceptron, {"widths": (8, 16)}, "three or more that rise"),
        (perceptron, {"widths": (8, 16, 16)}, "three or more that rise"),
        (perceptron, {"seeds": 1}, "seeds must be 2 or more"),
        (perceptron, {"steps": 0}, "steps must be 1 or more"),
        (
            lambda w: nn.Sequential(*[nn.Linear(20, 20)] * (1 + (w > 10)), nn.Linear(20, 5)),
            {},
            "different layers",
        ),
    ],
)
def test_what_cannot_be_checked_is_told(build, how, message):
    with pytest.raises(UsageError, match=message):
        width_check(build, BATCH, **{"widths": (8, 16, 32), "seeds": 2, **how})
