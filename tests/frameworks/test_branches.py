"""Residual branches: where they end, what their scale does, and the cure that changes it."""

import pytest

torch = pytest.importorskip("torch")

from frameworks.families import CLASSES, FAMILIES, IMAGES  # noqa: E402
from torch import nn  # noqa: E402

from initlab.errors import UsageError  # noqa: E402
from initlab.frameworks.torch_trace import trace  # noqa: E402
from initlab.torch import diagnose, init_  # noqa: E402

BATCH = IMAGES.flatten(1), CLASSES


class Residual(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.branch = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))

    def forward(self, x):
        return self.branch(x) + x


def tower(blocks, width=32):
    return nn.Sequential(
        nn.Linear(768, width), *(Residual(width) for _ in range(blocks)), nn.Linear(width, 5)
    )


@pytest.mark.parametrize(
    ("family", "ends"),
    [
        ("resnet", ["bn2"] * 4),
        ("resnet without norm", ["conv2"] * 4),
        ("mixer", ["tokens.2", "channels.2"] * 3),
        ("gpt", ["c_proj", "c_proj"] * 3),
        ("lenet", []),
        ("densenet", []),
        ("plain convnet", []),
    ],
)
def test_branches_end_before_their_sum(family, ends):
    build, batch = FAMILIES[family]
    found = [each.name for each in trace(build(), batch).branch_ends]
    assert len(found) == len(ends)
    assert all(name.endswith(end) for name, end in zip(found, ends, strict=True))


@pytest.mark.parametrize("family", ["resnet", "resnet without norm"])
def test_with_branches_of_scale_zero_only_skip_connections_are_left(family):
    build, batch = FAMILIES[family]
    model = init_(build(), "he", batch, branch_scale=0)
    stem = model[1](model[0](batch[0]))
    assert torch.equal(torch.relu(stem), model[2:6](stem))


def test_a_scale_multiplies_the_last_layer_of_a_branch_alone():
    whole, halved = tower(3), tower(3)
    init_(whole, "he", BATCH), init_(halved, "he", BATCH, branch_scale=0.5)
    for (name, one), (_, other) in zip(whole.named_parameters(), halved.named_parameters(), strict=True):
        factor = 0.5 if "branch.2" in name else 1
        assert torch.equal(one * factor, other)


def test_the_output_layer_and_embeddings_may_have_schemes_of_their_own():
    build, batch = FAMILIES["gpt"]
    model = build()
    model.lm_head.weight = nn.Parameter(model.lm_head.weight.detach().clone())
    init_(model, "he", batch, last="zeros", embedding="std=0.02")
    assert not model.lm_head.weight.any()
    for table in (model.wte.weight, model.wpe.weight):
        assert float(table.detach().std()) == pytest.approx(0.02, rel=0.1)
    again = init_(build(), "he", batch)
    pairs = zip(again.blocks.parameters(), model.blocks.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


def test_an_embedding_that_is_the_output_layer_is_left_to_that():
    build, batch = FAMILIES["gpt"]
    model = init_(build(), "he", batch, last="std=0.5", embedding="std=0.02")
    assert model.wte.weight is model.lm_head.weight
    assert float(model.wte.weight.detach().std()) == pytest.approx(0.5, rel=0.1)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"embedding": "std=0.1"}, "no embeddings of their own"),
        ({"embedding": "he"}, "not for embeddings; those are zeros"),
        ({"last": "lsuv"}, "last: lsuv looks at data"),
    ],
)
def test_schemes_that_do_not_suit_a_part_are_refused(more, message):
    with pytest.raises(UsageError, match=message):
        init_(tower(2), "he", BATCH, **more)


def test_what_has_no_branches_cannot_scale_them():
    with pytest.raises(UsageError, match="no residual branches"):
        init_(nn.Sequential(nn.Linear(768, 9), nn.ReLU(), nn.Linear(9, 5)), "he", BATCH, branch_scale=0)


def test_a_tower_that_explodes_is_cured_by_smaller_branches():
    def build():
        return init_(tower(16), "he", BATCH, seed=int(torch.randint(100, ())))

    found = diagnose(build, BATCH, draws=3)
    assert (found.verdict, found.words[0]) == ("does not train", "exploding")
    assert found.cure.scheme.endswith("with residual branches times 0.25")
    model = build()
    exec(found.cure.code, {"model": model, "batch": BATCH})
    assert diagnose(model, BATCH).verdict == "trains"


class Shapes(nn.Module):
    """Convolutions, a residual branch, dropout and a linear layer; one layer without a module, or none."""

    def __init__(self, by_hand=False):
        super().__init__()
        self.stem, self.branch, self.norm = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8)
        self.drop, self.head = nn.Dropout(0.3), nn.Linear(8 * 36, 5)
        self.last = nn.Parameter(torch.randn(5, 5)) if by_hand else None

    def forward(self, x):
        x = torch.relu(self.norm(self.stem(x)))
        x = self.head(self.drop((x + self.branch(x)).flatten(1)))
        return x if self.last is None else x @ self.last


def test_lsuv_gives_every_layer_outputs_of_variance_1_and_changes_nothing_else():
    torch.manual_seed(0)
    images, labels = 5 * torch.rand(20, 3, 8, 8), torch.randint(5, (20,))
    model, variances = Shapes(), {}
    before = {name: each.clone() for name, each in model.named_buffers()}
    state = torch.get_rng_state()
    init_(model, "lsuv", (images, labels))
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(each, before[name]) for name, each in model.named_buffers())
    for name in ("stem", "branch", "head"):
        getattr(model, name).register_forward_hook(
            lambda _m, _i, output, name=name: variances.update({name: float(output.detach().var())})
        )
    model(images)
    assert all(abs(variance - 1) < 0.12 for variance in variances.values())
    assert len(variances) == 3


@pytest.mark.parametrize(
    ("scheme", "more", "message"),
    [("lsuv", {}, "last is used without one"), ("he", {"branch_scale": 0.5}, "no residual branches")],
)
def test_what_is_refused_on_the_way_leaves_the_model_as_it_was(scheme, more, message):
    model = Shapes(by_hand=True) if scheme == "lsuv" else nn.Sequential(nn.Flatten(), nn.Linear(192, 5))
    before = {name: each.clone() for name, each in model.state_dict().items()}
    with pytest.raises(UsageError, match=message):
        init_(model, scheme, (torch.rand(20, 3, 8, 8), torch.randint(5, (20,))), **more)
    assert all(torch.equal(each, before[name]) for name, each in model.state_dict().items())
