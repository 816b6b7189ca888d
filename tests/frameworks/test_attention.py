"""Attention: entropy and logits against closed forms, in one call and by hand, with masks."""

import math

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402, N812

from initlab.frameworks.torch_attention import attention_numbers  # noqa: E402
from initlab.torch import diagnose  # noqa: E402

# No token twice: equal keys would share the weight.
TOKENS = torch.stack([torch.randperm(11, generator=torch.Generator().manual_seed(i)) for i in range(8)])


def numbers(logits, dim=-1):
    return attention_numbers("softmax", (torch.tensor(logits),), {"dim": dim})


def test_equal_logits_have_the_largest_entropy_and_one_large_logit_none():
    assert numbers([[[2.0, 2.0, 2.0]]])["entropy"] == pytest.approx(1)
    assert numbers([[[500.0, 0.0, 0.0]]])["entropy"] == pytest.approx(0)


def test_entropy_of_two_positions_in_closed_form():
    p = 1 / (1 + math.exp(-1.5))
    expected = -(p * math.log(p) + (1 - p) * math.log(1 - p)) / math.log(2)
    found = numbers([[[1.5, 0.0], [0.0, 1.5]]])
    assert found["entropy"] == pytest.approx(expected)
    assert found["logits"] == pytest.approx(torch.tensor([1.5, 0, 0, 1.5]).std().item())


def test_masked_positions_do_not_count():
    """Two of four positions, equal: the largest entropy of two."""
    for masked in (-math.inf, -1e10):
        assert numbers([[[3.0, 3.0, masked, masked]]])["entropy"] == pytest.approx(1)


@pytest.mark.parametrize("mask", ["none", "causal", "boolean", "added"])
def test_attention_in_one_call_is_that_by_hand(mask):
    q, k, v = torch.randn(3, 2, 4, 6, 8, generator=torch.Generator().manual_seed(0)).double()
    later = torch.ones(6, 6, dtype=torch.bool).triu(1)
    given = {
        "none": {},
        "causal": {"is_causal": True},
        "boolean": {"attn_mask": ~later},
        "added": {"attn_mask": torch.zeros(6, 6).double().masked_fill(later, -math.inf)},
    }[mask]
    logits = q @ k.transpose(-2, -1) / 8**0.5
    logits = logits if mask == "none" else logits.masked_fill(later, -math.inf)
    assert torch.allclose(F.scaled_dot_product_attention(q, k, v, **given), logits.softmax(-1) @ v)
    one = attention_numbers("scaled_dot_product_attention", (q, k, v), given)
    assert one == pytest.approx(attention_numbers("softmax", (logits,), {"dim": -1}))


class Model(nn.Module):
    """Attention by hand or in one call, and a softmax at the end that is none."""

    def __init__(self, by_hand, scale):
        super().__init__()
        torch.manual_seed(0)
        self.embed, self.qkv, self.out = nn.Embedding(11, 16), nn.Linear(16, 48), nn.Linear(16, 11)
        self.by_hand, self.scale = by_hand, scale

    def forward(self, tokens):
        q, k, v = (self.qkv(self.embed(tokens)) * self.scale).split(16, dim=-1)
        if self.by_hand:
            x = F.softmax(q @ k.transpose(1, 2) / 4, dim=-1) @ v
        else:
            x = F.scaled_dot_product_attention(q, k, v)
        return F.softmax(self.out(x), dim=-1)


@pytest.mark.parametrize("by_hand", [True, False])
def test_a_model_reports_its_attention_and_no_other_softmax(by_hand):
    usual, large = (diagnose(Model(by_hand, s), (TOKENS, TOKENS), cure=False) for s in (1.0, 100.0))
    (found,) = usual.to_dict()["attention"]
    assert 0.9 < found["entropy"] < 1
    assert "attention: logits of std" in repr(usual)
    assert "looks at one" not in repr(usual)
    assert large.to_dict()["attention"][0]["logits"] == pytest.approx(10_000 * found["logits"], rel=1e-3)
    assert "looks at one" in repr(large)
