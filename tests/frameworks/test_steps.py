"""First steps: closed forms of linear regression, steps that are taken, and batches without other targets."""

import doctest
from itertools import pairwise

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402, N812
from torch.utils.checkpoint import checkpoint  # noqa: E402

from initlab.errors import UsageError  # noqa: E402
from initlab.frameworks import steps  # noqa: E402
from initlab.frameworks.torch_steps import exchanged, traced  # noqa: E402
from initlab.torch import diagnose  # noqa: E402

RNG = np.random.default_rng(0)
X = torch.tensor(RNG.standard_normal((40, 6)))
Y = torch.tensor(RNG.standard_normal((40, 1)))
LABELS = torch.tensor(RNG.integers(5, size=40))


def first_steps_of(*arguments):
    return traced(*arguments)[1]


def line():
    torch.manual_seed(0)
    return nn.Linear(6, 1, bias=False).double()


def chain(depth=4, factor=1.0, width=30):
    torch.manual_seed(0)
    sizes = [6, *[width] * depth]
    layers = [part for a, b in pairwise(sizes) for part in (nn.Linear(a, b), nn.Tanh())]
    model = nn.Sequential(*layers, nn.Linear(width, 5)).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter *= factor
    return model


def stepped(model, batch, optimizer, rate):
    """The loss before a step, and after it."""
    rule = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[optimizer](model.parameters(), lr=rate)
    before = F.cross_entropy(model(batch[0]), batch[1])
    rule.zero_grad()
    before.backward()
    rule.step()
    return float(before.detach()), float(F.cross_entropy(model(batch[0]), batch[1]).detach())


def margin(model, batch):
    """How much cheaper the own targets are than exchanged ones."""
    _, others = exchanged(batch)
    return float((F.cross_entropy(model(X), others) - F.cross_entropy(model(X), batch[1])).detach())


def test_linear_regression_in_closed_form():
    model = line()
    found = first_steps_of(model, (X, Y), None, "sgd")
    w, others = model.weight.detach().numpy()[0], exchanged((X, Y))[1].numpy()[:, 0]
    x, y = X.numpy(), Y.numpy()[:, 0]
    H = 2 * x.T @ x / len(x)
    g = 2 * x.T @ (x @ w - y) / len(x)
    D = 2 * x.T @ (others - y) / len(x)
    assert found.loss == pytest.approx(((x @ w - y) ** 2).mean())
    assert found.pull == pytest.approx(D @ D)
    assert found.highest == pytest.approx(2 * g @ g / (g @ H @ g), rel=1e-4)
    signs = first_steps_of(model, (X, Y), None, "adam")
    u = np.sign(g)
    assert signs.pull == pytest.approx(np.abs(D).sum())
    assert signs.highest == pytest.approx(2 * g @ u / (u @ H @ u), rel=1e-4)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("factor", [1.5, 2.5])
def test_a_step_lowers_the_loss_up_to_the_highest_rate(optimizer, factor):
    batch = X, LABELS
    highest = first_steps_of(chain(factor=factor), batch, None, optimizer).highest
    before, after = stepped(chain(factor=factor), batch, optimizer, 0.3 * highest)
    assert after < before
    before, after = stepped(chain(factor=factor), batch, optimizer, 4 * highest)
    assert after > before


def test_steps_pull_the_own_targets_away_from_exchanged_ones():
    """A small step against D, the difference of the gradients, changes the margin by rate times pull."""
    batch = X, LABELS
    model = chain()
    start = margin(model, batch)
    pull = first_steps_of(model, batch, None, "sgd").pull
    (F.cross_entropy(model(X), LABELS) - F.cross_entropy(model(X), exchanged(batch)[1])).backward()
    rate = 1e-4
    with torch.no_grad():
        for parameter in model.parameters():
            parameter -= rate * parameter.grad
    assert (margin(model, batch) - start) / rate == pytest.approx(pull, rel=0.01)


def test_small_weights_need_a_larger_rate_than_they_could_have_through_depth():
    near, small = (
        first_steps_of(chain(depth=10, factor=f), (X, LABELS), None, "sgd").steps for f in (1.7, 0.3)
    )
    assert near < 300
    assert small > 1e6


def test_dropout_is_alike_in_all_passes():
    """Without it the curvature would be the noise of the masks over a tiny step."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 300), nn.Tanh(), nn.Dropout(0.5), nn.Linear(300, 5)).double()
    plain = nn.Sequential(*[each for each in model if not isinstance(each, nn.Dropout)])
    each = [first_steps_of(own, (X, LABELS), None, "sgd").highest for own in (model, plain)]
    assert 0.2 < each[0] / each[1] < 5


def test_no_answer_without_other_targets():
    model = chain()
    assert exchanged((X, torch.zeros(40, dtype=torch.int64))) is None
    assert first_steps_of(model, (X, torch.zeros(40, dtype=torch.int64)), None, "sgd") is None


def test_frozen_parameters_take_no_part():
    model, frozen = chain(), chain()
    frozen[0].requires_grad_(False)
    whole, part = (first_steps_of(each, (X, LABELS), None, "sgd").pull for each in (model, frozen))
    assert 0 < part < whole


def test_targets_among_named_inputs_are_exchanged_alone():
    tokens = torch.arange(40).reshape(20, 2)
    other = exchanged({"input_ids": tokens, "labels": tokens})
    assert torch.equal(other["input_ids"], tokens)
    assert sorted(map(tuple, other["labels"].tolist())) == sorted(map(tuple, tokens.tolist()))
    assert not torch.equal(other["labels"], tokens)


def test_a_diagnosis_has_the_medians_of_its_draws():
    draws = [chain(factor=f) for f in (1.0, 1.3, 0.8)]
    models = iter(draws)
    found = diagnose(lambda: next(models), (X, LABELS), draws=3, cure=False).first
    each = [first_steps_of(model, (X, LABELS), None, "sgd") for model in draws]
    assert found.pull == sorted(one.pull for one in each)[1]


def test_a_small_start_of_all_layers_is_seen_though_no_layer_is_worse_than_another():
    """Each layer keeps what it receives, relative to the first; the first one and the last are too small."""

    class Tower(nn.Module):
        def __init__(self, std):
            super().__init__()
            torch.manual_seed(0)
            self.stem, self.head = nn.Linear(6, 30), nn.Linear(30, 5)
            self.blocks = nn.ModuleList(nn.Linear(30, 30) for _ in range(4))
            for parameter in self.parameters():
                nn.init.normal_(parameter, std=std)

        def forward(self, x):
            x = self.stem(x)
            for block in self.blocks:
                x = x + torch.tanh(block(x))
            return self.head(x)

    good, small = (diagnose(Tower(std).double(), (X, LABELS), cure=False) for std in (0.2, 0.003))
    assert small.severity < 1
    assert (good.verdict, small.verdict) == ("trains", "does not train")
    assert small.words == ["slow"]
    assert "would need" in repr(small)
    assert small.to_dict()["first_steps"]["steps"] == small.first.steps


def test_a_doubt_about_a_model_beyond_the_limits_is_none():
    """The only rates are tiny, and the layers say why."""
    torch.manual_seed(0)
    layers = [part for _ in range(10) for part in (nn.Linear(30, 30), nn.ReLU())]
    model = nn.Sequential(nn.Linear(6, 30), *layers, nn.Linear(30, 5)).double()
    for layer in model:
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=1.0)
    found = diagnose(model, (X, LABELS), cure=False)
    assert (found.first.verdict, found.first.words) == ("in doubt", ["unstable"])
    assert found.verdict == "does not train"


def test_gradients_that_overflow_or_are_0_learn_nothing():
    zeros, huge = chain().float(), nn.Sequential(nn.Linear(6, 9), nn.ReLU(), nn.Linear(9, 5))
    for model, value in ((zeros, 0.0), (huge, 1e30)):
        for parameter in model.parameters():
            nn.init.constant_(parameter, value)
        found = first_steps_of(model, (X.float(), LABELS), None, "sgd")
        assert found.verdict == "does not train"
    assert "learns nothing" in str(found)


def test_half_precision_has_no_first_steps():
    batch = X.bfloat16(), LABELS
    assert first_steps_of(chain().bfloat16(), batch, None, "sgd") is None
    assert diagnose(chain().bfloat16(), batch, cure=False).stages


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_updates_are_those_of_a_step_that_is_taken(optimizer):
    """Adam's first step is the rate times the gradient's sign."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(20, 30), nn.Tanh(), nn.Linear(30, 30), nn.Tanh(), nn.Linear(30, 3))
    batch = torch.randn(40, 20), torch.randint(3, (40,))
    found = diagnose(model, batch, optimizer=optimizer, cure=False)
    before = {name: each.detach().clone() for name, each in model.named_parameters()}
    rule = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[optimizer]
    taken = rule(model.parameters(), lr=found.first.rate)
    nn.functional.cross_entropy(model(batch[0]), batch[1]).backward()
    taken.step()
    for name, update in found.updates.items():
        change = dict(model.named_parameters())[name].detach() - before[name]
        assert update == pytest.approx(float(change.norm() / before[name].norm()), rel=1e-3)
    assert list(found.updates) == ["0.weight", "2.weight", "4.weight"]
    assert "changes weights by" in repr(found)
    assert found.to_dict()["first_steps"]["updates"] == found.updates


def test_a_model_without_numbers_is_refused():
    model = nn.Linear(20, 3, device="meta")
    with pytest.raises(UsageError, match="meta device"):
        diagnose(model, (torch.randn(40, 20), torch.randint(3, (40,))))


def test_a_checkpoint_makes_no_difference():
    class Checked(nn.Module):
        def __init__(self):
            super().__init__()
            self.chain = chain()

        def forward(self, x):
            return checkpoint(self.chain, x, use_reentrant=False)

    plain, checked = (first_steps_of(each, (X, LABELS), None, "sgd") for each in (chain(), Checked()))
    assert checked == plain


def test_examples():
    assert doctest.testmod(steps).failed == 0
