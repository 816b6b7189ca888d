"""PyTorch models: what is measured is what our own networks show, all is seen, and nothing is changed."""

import copy
import doctest
import math
import random

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from frameworks.families import CLASSES, FAMILIES, IMAGES  # noqa: E402
from torch import nn  # noqa: E402
from torch.utils.checkpoint import checkpoint  # noqa: E402

from initlab.diagnosis.verdict import diagnose as diagnose_own  # noqa: E402
from initlab.errors import UsageError  # noqa: E402
from initlab.frameworks import torch as api  # noqa: E402
from initlab.frameworks import torch_cure, torch_init, torch_trace, torch_width, verdict  # noqa: E402
from initlab.frameworks.torch_trace import trace  # noqa: E402
from initlab.init.networks import initialize  # noqa: E402
from initlab.init.scheme import Scheme  # noqa: E402
from initlab.torch import diagnose, init_  # noqa: E402

RNG = np.random.default_rng(0)
INPUTS, LABELS = RNG.standard_normal((60, 30)), RNG.integers(5, size=60)
BATCH = torch.tensor(INPUTS), torch.tensor(LABELS)
OURS = {"relu": nn.ReLU, "tanh": nn.Tanh, "gelu": nn.GELU, "swish": nn.SiLU, "sigmoid": nn.Sigmoid}


def twin(network, activation):
    """A PyTorch model with the weights of our network."""
    layers = []
    for W, b in zip(network.weights, network.biases, strict=True):
        linear = nn.Linear(*W.shape[1:], dtype=torch.float64)
        with torch.no_grad():
            linear.weight.copy_(torch.tensor(W[0].T.copy()))
            linear.bias.copy_(torch.tensor(b[0].copy()))
        layers += [linear, activation()]
    return nn.Sequential(*layers[:-1])


def chain(depth, activation=nn.ReLU, width=20):
    layers = [nn.Linear(30, width), activation()]
    for _ in range(depth - 1):
        layers += [nn.Linear(width, width), activation()]
    return nn.Sequential(*layers, nn.Linear(width, 5)).double()


class ByHand(nn.Module):
    """Layers without modules, as in x @ W + b, and positions that are added."""

    def __init__(self):
        super().__init__()
        self.W = nn.ParameterList([torch.randn(30, 30) / 30**0.5 for _ in range(3)])
        self.b, self.positions = nn.Parameter(torch.randn(30)), nn.Parameter(torch.randn(2, 30))

    def forward(self, x):
        x = torch.stack([x, -x], 1) @ self.W[0] + self.positions
        for W in self.W[1:]:
            x = torch.tanh(x) @ W + self.b
        return x.mean(1)


def test_a_product_with_a_parameter_and_its_bias_are_a_layer():
    model = ByHand().double()
    found = trace(model, BATCH)
    kinds = [each.kind for each in found.operations]
    assert kinds[1:8] == ["stack", "linear", "add", "tanh", "linear", "tanh", "linear"]
    assert found.operations[5].parameters == ("W.1", "b")
    values = torch.tanh(torch.stack([BATCH[0], -BATCH[0]], 1) @ model.W[0] + model.positions) @ model.W[1]
    assert found.operations[5].square == pytest.approx((values + model.b).square().mean().item())


class TestOurOwnNetworks:
    @pytest.mark.parametrize("name", OURS)
    @pytest.mark.parametrize("scheme", ["he", "std=0.05", "auto", "mirror"])
    def test_the_same_weights_have_the_same_numbers_and_verdict(self, name, scheme):
        network = initialize([30, *[20] * 6, 5], [scheme], 0, name, "float64", data=INPUTS)
        ours = diagnose_own(scheme, name, [20] * 6, INPUTS, LABELS, seeds=1, cure=False)
        theirs = diagnose(twin(network, OURS[name]), BATCH, cure=False)
        assert len(theirs.stages) == 6
        for layer, stage in zip(ours.layers, theirs.stages, strict=True):
            assert stage.numbers == pytest.approx(layer.numbers, rel=1e-6, abs=1e-12, nan_ok=True)
            assert [symptom.word for symptom in stage.symptoms] == [s.word for s in layer.symptoms]
        assert theirs.severity == pytest.approx(ours.severity)
        assert theirs.verdict == ours.verdict

    @pytest.mark.parametrize(("name", "scheme"), [("relu", "auto"), ("sigmoid", "auto"), ("tanh", "xavier")])
    def test_init_draws_the_very_weights_of_our_networks(self, name, scheme):
        network = initialize([30, *[20] * 4, 5], [scheme], 3, name, "float64", data=INPUTS)
        model = init_(chain(4, OURS[name]), scheme, BATCH, seed=3)
        for ours, linear in zip(network.weights, model[::2], strict=True):
            np.testing.assert_allclose(linear.weight.detach().numpy().T, ours[0], rtol=1e-12)
        for ours, linear in zip(network.biases, model[::2], strict=True):
            np.testing.assert_allclose(linear.bias.detach().numpy(), ours[0], rtol=1e-9, atol=1e-12)


def state_of(model):
    """Everything that a look at a model could change, as bytes and names."""
    tensors = [*model.named_parameters(), *model.named_buffers()]
    return {
        "tensors": [(name, tensor.detach().numpy().tobytes(), tensor._version) for name, tensor in tensors],
        "gradients": [None if p.grad is None else p.grad.numpy().tobytes() for p in model.parameters()],
        "modes": [module.training for module in model.modules()],
        "hooks": [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()],
        "plain": [
            {name: value for name, value in vars(module).items() if isinstance(value, int | float | str)}
            for module in model.modules()
        ],
        "random": (
            random.getstate(),
            str(np.random.get_state()),  # noqa: NPY002
            torch.get_rng_state().numpy().tobytes(),
        ),
    }


class TestNothingChanges:
    @pytest.mark.parametrize("name", FAMILIES)
    def test_the_whole_state_stays_and_all_parameters_are_seen(self, name):
        build, batch = FAMILIES[name]
        torch.manual_seed(0)
        model = build().eval()
        next(model.parameters()).grad = torch.ones_like(next(model.parameters()))
        before = state_of(model)
        seen = trace(model, batch)
        assert state_of(model) == before
        assert seen.seen == 1
        assert all(math.isfinite(weight.gradient) for weight in seen.weights)
        assert math.isfinite(seen.loss)

    def test_not_even_where_the_model_fails(self):
        class Broken(nn.Module):
            def __init__(self):
                super().__init__()
                self.linear = nn.Linear(30, 5).double()

            def forward(self, x):
                random.random()
                torch.rand(3)
                raise ZeroDivisionError(float(self.linear(x).detach().sum()))

        model = Broken()
        before = state_of(model)
        with pytest.raises(ZeroDivisionError):
            diagnose(model, BATCH)
        assert state_of(model) == before
        assert torch.overrides._get_current_function_mode() is None

    def test_not_the_batch_either(self):
        inputs = BATCH[0].clone()
        diagnose(nn.Sequential(nn.ReLU(inplace=True), chain(2)), (inputs, BATCH[1]), cure=False)
        assert torch.equal(inputs, BATCH[0])

    def test_gradients_may_be_switched_off_around_it(self):
        with torch.no_grad():
            assert diagnose(chain(2), BATCH).seen == 1
            assert not torch.is_grad_enabled()


class TestWhatIsSeen:
    def test_stages_of_a_residual_network_are_its_sums(self):
        build, batch = FAMILIES["resnet without norm"]
        stages = trace(build(), batch).stages
        assert [(stage.name, stage.kind) for stage in stages] == [
            ("conv2d 0", "conv2d"),
            *[(f"add {block}", "add") for block in range(2, 6)],
        ]

    def test_stages_of_a_transformer_are_those_of_its_stream(self):
        build, batch = FAMILIES["gpt"]
        names = [stage.name for stage in trace(build(), batch).stages]
        assert names == ["wte", "add", *[f"blocks.{i}" for i in (0, 0, 1, 1, 2, 2)][:-1], "ln_f"]

    def test_a_parameter_that_no_operation_takes_is_never_healthy(self):
        class Idle(nn.Module):
            def __init__(self):
                super().__init__()
                self.used, self.idle = chain(2), nn.Linear(9, 9)

            def forward(self, x):
                return self.used(x)

        diagnosis = diagnose(init_(Idle(), "he", BATCH), BATCH)
        assert 0.9 < diagnosis.seen < 1
        assert (diagnosis.verdict, diagnosis.words) == ("in doubt", ["partly seen"])
        assert "of the parameters were seen at work" in repr(diagnosis)

    def test_checkpoints_autocast_frozen_and_shared_parameters(self):
        class Checkpointed(nn.Module):
            def __init__(self):
                super().__init__()
                self.inner, self.head = chain(3).float()[:-1], nn.Linear(20, 5)
                self.inner[0].weight.requires_grad_(False)

            def forward(self, x):
                x = checkpoint(self.inner, x, use_reentrant=False)
                return self.head(x)

        torch.manual_seed(0)
        batch = BATCH[0].float(), BATCH[1]
        model = Checkpointed()
        plain = nn.Sequential(*model.inner, model.head)
        found, expected = diagnose(model, batch, cure=False), diagnose(plain, batch, cure=False)
        assert [s.numbers for s in found.stages] == [s.numbers for s in expected.stages]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rough = diagnose(model, batch, cure=False)
        assert rough.severity == pytest.approx(expected.severity, rel=0.1)

    def test_a_mapping_and_an_output_with_its_own_loss(self):
        class Output:
            def __init__(self, loss, logits):
                self.loss, self.logits = loss, logits

        class Named(nn.Module):
            def __init__(self):
                super().__init__()
                self.net = chain(2)

            def forward(self, x, labels):
                logits = self.net(x)
                return Output(nn.functional.cross_entropy(logits, labels), logits)

        torch.manual_seed(0)
        model = Named()
        found = trace(model, {"x": BATCH[0], "labels": BATCH[1]})
        assert found.loss == pytest.approx(trace(model.net, BATCH).loss)
        assert len(found.stages) == 2

    @pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
    def test_a_compiled_model_is_looked_at_as_its_original(self):
        model = chain(2)
        compiled = torch.compile(model)
        assert diagnose(compiled, BATCH).severity == diagnose(model, BATCH).severity
        assert diagnose(compiled, BATCH).model == "Sequential"


class TestVerdict:
    def test_draws_of_a_function_are_those_of_its_seeds(self):
        diagnosis = diagnose(lambda: chain(4), BATCH, draws=3, cure=False)
        for seed, severity in enumerate(diagnosis.severities):
            torch.manual_seed(seed)
            assert diagnose(chain(4), BATCH, cure=False).severity == severity
        assert len({*diagnosis.severities}) == 3

    @pytest.mark.parametrize("activation", OURS.values())
    def test_deep_default_networks_do_not_train_and_get_a_cure_that_does(self, activation):
        model = chain(20, activation)
        diagnosis = diagnose(model, BATCH)
        assert diagnosis.verdict == "does not train"
        exec(diagnosis.cure.code, {"model": model, "batch": BATCH, "nn": nn})
        assert diagnose(model, BATCH).verdict == "trains"
        with pytest.raises(AssertionError, match="does not train"):
            diagnose(chain(20, activation), BATCH).assert_trains()
        diagnose(model, BATCH).assert_trains()

    def test_a_variance_is_told_in_plain_pytorch(self):
        torch.manual_seed(0)
        model = chain(3)
        code = torch_cure.code_for(Scheme.parse("variance_scaling(scale=3)"))
        exec(code, {"model": model, "nn": nn})
        assert float(model[2].weight.detach().var() * 20) == pytest.approx(3, rel=0.3)
        assert not model[2].bias.any()
        assert "init_" in torch_cure.code_for(Scheme.parse("xavier"))

    def test_it_is_told_to_programs_and_notebooks(self):
        pytest.importorskip("pandas")
        diagnosis = diagnose(chain(3), BATCH)
        assert diagnosis.to_frame().shape[0] == 3
        assert diagnosis.to_dict()["stages"][0]["name"] == "linear 0"
        assert "<table" in diagnosis._repr_html_()

    def test_before_a_normalization_that_all_paths_pass_the_size_does_not_matter(self):
        """Small embeddings make large gradients, but a step of the same relative size."""
        build, (tokens, targets) = FAMILIES["gpt"]
        torch.manual_seed(0)
        model = build()
        nn.init.normal_(model.wpe.weight, std=1e-3)
        model.lm_head.weight = nn.Parameter(model.lm_head.weight.detach().clone())
        found = []
        for size in (1.0, 1e-3):
            with torch.no_grad():
                model.wte.weight.normal_(generator=torch.Generator().manual_seed(0)).mul_(size)
            found.append(diagnose(model, (tokens, targets), cure=False))
        assert {stage.numbers["signal"] for stage in found[1].stages[:-1]} == {1.0}
        assert [diagnosis.symptoms for diagnosis in found] == [{}, {}]
        # Even so, the first step is larger than what it changes, which the first steps see.
        assert [diagnosis.words for diagnosis in found] == [["healthy"], ["unstable"]]
        first, last = (trace(model, (tokens, targets)).stages[i] for i in (0, -1))
        assert first.gradient / last.gradient > 1e3


class TestInit:
    def test_convolutions_have_the_variance_of_pytorchs_own(self):
        """He: 2 / (n_in k k); Xavier: 2 / ((n_in + n_out) k k)."""
        model = nn.Sequential(nn.Conv2d(3, 40, 3), nn.ReLU(), nn.Conv2d(40, 60, 3), nn.ReLU(), nn.Flatten())
        model = nn.Sequential(*model, nn.Linear(60 * 144, 5))
        for scheme, variance in (("he", 2 / 360), ("xavier", 2 / 900), ("xavier_uniform", 2 / 900)):
            init_(model, scheme, (IMAGES, CLASSES))
            assert float(model[2].weight.detach().var()) == pytest.approx(variance, rel=0.05)

    def test_orthogonal_kernels_are_orthonormal_as_pytorchs_own(self):
        """Also where the channels that a pixel reaches outnumber the numbers in a kernel."""
        model = nn.Sequential(nn.Conv2d(3, 20, 3), nn.ReLU(), nn.Flatten(), nn.Linear(20 * 196, 5))
        theirs = nn.init.orthogonal_(torch.empty(20, 3, 3, 3)).flatten(1)
        init_(model, "orthogonal", (IMAGES, CLASSES))
        ours = model[0].weight.detach().flatten(1)
        assert torch.allclose(ours @ ours.T, theirs @ theirs.T, atol=1e-5)

    @pytest.mark.parametrize("scheme", ["he", "xavier_uniform", "orthogonal", "sparse(per=input)", "auto"])
    def test_a_model_gets_the_weights_of_our_own_network(self, scheme):
        model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 196, 5))
        init_(model, scheme, (IMAGES, CLASSES), seed=3)
        sizes = [tuple(IMAGES.shape[1:]), "conv(8, kernel=3)", 5]
        ours = initialize(sizes, scheme, 3, data=IMAGES.flatten(1).numpy())
        pairs = zip(ours.weights, (model[0].weight, model[3].weight.T), strict=True)
        for W, theirs in pairs:
            np.testing.assert_allclose(W[0], theirs.detach().numpy(), rtol=1e-6)

    def test_kernels_may_be_all_zeros(self):
        model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 196, 5))
        init_(model, "zeros", (IMAGES, CLASSES))
        assert not model[0].weight.any()

    def test_pairs_of_channels_make_a_convnet_linear(self):
        """With `mirror`, relu(u) - relu(-u) = u: the model is linear in its inputs."""
        layers = [nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Flatten()]
        model = nn.Sequential(*layers, nn.Linear(8 * 144, 5)).double()
        images = IMAGES.double()
        init_(model, "auto", (images, CLASSES))
        both = model(images[:4] + images[4:])
        assert torch.allclose(both, model(images[:4]) + model(images[4:]), atol=1e-9)

    @pytest.mark.parametrize(
        ("build", "scheme", "message"),
        [
            (lambda: chain(2), "within_layer", "looks at data"),
            (lambda: chain(2), "hee", "unknown scheme 'hee'"),
            (lambda: nn.Sequential(chain(2), nn.Tanh()), "auto", "relu, tanh"),
            (lambda: nn.Sequential(nn.BatchNorm1d(30).double(), chain(2)), "auto", "chain of layers"),
        ],
    )
    def test_what_does_not_suit_is_refused_before_anything_is_drawn(self, build, scheme, message):
        model = build()
        before = copy.deepcopy(model.state_dict())
        with pytest.raises(UsageError, match=message):
            init_(model, scheme, BATCH)
        assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("model", "batch", "how", "message"),
    [
        (chain(2), BATCH[0], {}, "a batch is"),
        (chain(2), (BATCH[0][:1], BATCH[1][:1]), {}, "two samples or more"),
        (chain(2), BATCH, {"optimizer": "adamm"}, "unknown optimizer 'adamm'"),
        (chain(2), BATCH, {"loss": lambda output, _: output}, "no single number with a gradient"),
        (chain(2), (BATCH[0], None), {}, "give loss=function"),
        (lambda: 3, BATCH, {}, "returned int"),
        (3, BATCH, {}, "a function that builds one, not int"),
        (lambda: chain(2), BATCH, {"draws": 0}, "draws must be 1 or more"),
    ],
)
def test_what_cannot_be_diagnosed_is_told(model, batch, how, message):
    with pytest.raises(UsageError, match=message):
        diagnose(model, batch, **how)


@pytest.mark.parametrize("module", [api, torch_cure, torch_init, torch_trace, torch_width, verdict])
def test_the_examples_run(module):
    names = {"nn": nn, "torch": torch}
    result = doctest.testmod(module, extraglobs=names, optionflags=doctest.ELLIPSIS)
    assert result.failed == 0
