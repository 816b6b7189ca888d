"""Models of torchvision, timm and transformers as they come: all is seen, nothing is changed."""

import importlib.util

import pytest

torch = pytest.importorskip("torch")

from frameworks.test_torch import state_of  # noqa: E402

from initlab.frameworks.torch_trace import trace  # noqa: E402

# A torchvision that was built for another PyTorch misses its compiled operators. Its classifiers need none,
# but importing it does.
if importlib.util.find_spec("torchvision"):
    try:
        importlib.import_module("torchvision")
    except RuntimeError:
        OPERATORS = torch.library.Library("torchvision", "DEF")
        for operator in ("nms", "qnms"):
            OPERATORS.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
IMAGES = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
TOKENS = torch.randint(90, (2, 10), generator=torch.Generator().manual_seed(0))


def vision(name):
    return lambda: importlib.import_module("torchvision.models").get_model(name, weights=None, num_classes=5)


def timm(name, **how):
    return lambda: importlib.import_module("timm").create_model(name, pretrained=False, num_classes=5, **how)


def transformer(kind, **how):
    def build():
        package = importlib.import_module("transformers")
        config = getattr(package, f"{kind}Config")(vocab_size=99, **how)
        return getattr(package, {"GPT2": "GPT2LMHeadModel", "Bert": "BertForMaskedLM"}[kind])(config)

    return build


MODELS = {
    "torchvision resnet18": vision("resnet18"),
    "torchvision mobilenet_v3_small": vision("mobilenet_v3_small"),
    "torchvision densenet121": vision("densenet121"),
    "torchvision shufflenet_v2_x0_5": vision("shufflenet_v2_x0_5"),
    "torchvision squeezenet1_1": vision("squeezenet1_1"),
    "timm vit": timm("vit_tiny_patch16_224", img_size=64),
    "timm mixer": timm("mixer_s32_224", img_size=64),
    "timm convnext": timm("convnext_atto"),
    "transformers GPT2": transformer("GPT2", n_embd=32, n_layer=3, n_head=4, n_positions=16),
    "transformers Bert": transformer(
        "Bert", hidden_size=32, num_hidden_layers=3, num_attention_heads=4, intermediate_size=64
    ),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.filterwarnings("ignore")
def test_a_model_of_a_package_is_seen_whole_and_stays_as_it_is(name):
    pytest.importorskip(name.split()[0])
    torch.manual_seed(0)
    model = MODELS[name]()
    batch = {"input_ids": TOKENS, "labels": TOKENS}
    if not name.startswith("transformers"):
        batch = IMAGES, torch.tensor([1, 3])
    before = state_of(model)
    seen = trace(model, batch)
    assert state_of(model) == before
    assert seen.seen == 1
    assert seen.stages
