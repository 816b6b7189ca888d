"""Models of real shape and small size, written as their users write them, and a batch for each."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402, N812

IMAGES = torch.rand(8, 3, 16, 16, generator=torch.Generator().manual_seed(0))
CLASSES = torch.arange(8) % 5
TOKENS = torch.randint(40, (6, 12), generator=torch.Generator().manual_seed(1))
FAMILIES: dict[str, tuple[Callable[[], nn.Module], Any]] = {}


def family(name: str, inputs: Any, targets: Any) -> Callable[[Any], Any]:
    def add(build: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
        FAMILIES[name] = build, (inputs, targets)
        return build

    return add


for activation in (nn.ReLU, nn.Tanh, nn.Sigmoid, nn.GELU, nn.SiLU, nn.ELU, nn.Softplus, nn.LeakyReLU):

    @family(f"mlp {activation.__name__}", IMAGES.flatten(1), CLASSES)
    def mlp(activation: Any = activation) -> nn.Module:
        layers: list[nn.Module] = [nn.Linear(768, 32), activation()]
        for _ in range(4):
            layers += [nn.Linear(32, 32), activation()]
        return nn.Sequential(*layers, nn.Linear(32, 5))


@family("lenet", IMAGES, CLASSES)
class LeNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 6, 5, padding=2), nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2, self.fc3 = nn.Linear(64, 40), nn.Linear(40, 30), nn.Linear(30, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = torch.flatten(x, 1)
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))


class BasicBlock(nn.Module):
    def __init__(self, channels: int, normalize: bool) -> None:
        super().__init__()
        norm = nn.BatchNorm2d if normalize else lambda _: nn.Identity()
        self.conv1, self.bn1 = nn.Conv2d(channels, channels, 3, padding=1, bias=not normalize), norm(channels)
        self.conv2, self.bn2 = nn.Conv2d(channels, channels, 3, padding=1, bias=not normalize), norm(channels)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += x
        return self.relu(out)


def resnet(normalize: bool) -> nn.Module:
    stem = [nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(inplace=True)]
    blocks = [BasicBlock(8, normalize) for _ in range(4)]
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5))


family("resnet", IMAGES, CLASSES)(lambda: resnet(True))
family("resnet without norm", IMAGES, CLASSES)(lambda: resnet(False))


@family("plain convnet", IMAGES, CLASSES)
def plain() -> nn.Module:
    layers: list[nn.Module] = [nn.Conv2d(3, 6, 3, padding=1), nn.ReLU()]
    for _ in range(29):
        layers += [nn.Conv2d(6, 6, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 5))


@family("densenet", IMAGES, CLASSES)
class DenseNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.layers = nn.ModuleList(nn.Conv2d(8 + 4 * i, 4, 3, padding=1) for i in range(4))
        self.norms = nn.ModuleList(nn.BatchNorm2d(8 + 4 * i) for i in range(4))
        self.head = nn.Linear(24, 5)

    def forward(self, x: Tensor) -> Tensor:
        features = [self.stem(x)]
        for norm, layer in zip(self.norms, self.layers, strict=True):
            features.append(layer(F.relu(norm(torch.cat(features, 1)))))
        return self.head(F.relu(torch.cat(features, 1)).mean((2, 3)))


@family("unet", IMAGES, IMAGES[:, :1])
class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down1, self.down2 = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 16, 3, padding=1)
        self.up = nn.ConvTranspose2d(16, 8, 2, stride=2)
        self.merge, self.out = nn.Conv2d(16, 8, 3, padding=1), nn.Conv2d(8, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        first = F.relu(self.down1(x))
        second = F.relu(self.down2(F.max_pool2d(first, 2)))
        return self.out(F.relu(self.merge(torch.cat([first, self.up(second)], dim=1))))


class MixerBlock(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(24), nn.LayerNorm(24)
        self.tokens = nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 16))
        self.channels = nn.Sequential(nn.Linear(24, 48), nn.GELU(), nn.Linear(48, 24))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.tokens(self.norm1(x).transpose(1, 2)).transpose(1, 2)
        return x + self.channels(self.norm2(x))


def patches(x: Tensor) -> Tensor:
    return F.unfold(x, 4, stride=4).transpose(1, 2)


@family("mixer", IMAGES, CLASSES)
class Mixer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Linear(48, 24), nn.Linear(24, 5)
        self.blocks = nn.Sequential(*[MixerBlock() for _ in range(3)])

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(self.embed(patches(x))).mean(1))


@family("vit", IMAGES, CLASSES)
class ViT(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(48, 24)
        self.cls, self.position = nn.Parameter(torch.zeros(1, 1, 24)), nn.Parameter(torch.randn(1, 17, 24))
        layer = nn.TransformerEncoderLayer(24, 4, 48, batch_first=True, norm_first=True, activation="gelu")
        self.encoder = nn.TransformerEncoder(layer, 3, enable_nested_tensor=False)
        self.head = nn.Linear(24, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(patches(x))
        x = torch.cat([self.cls.expand(len(x), -1, -1), x], dim=1) + self.position
        return self.head(self.encoder(x)[:, 0])


class DecoderBlock(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.c_attn, self.c_proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.ModuleDict({"c_fc": nn.Linear(width, 4 * width), "c_proj": nn.Linear(4 * width, width)})
        self.drop = nn.Dropout(0.1)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, width = x.size()
        q, k, v = self.c_attn(self.ln_1(x)).split(width, dim=2)
        q, k, v = (t.view(batch, length, self.heads, -1).transpose(1, 2) for t in (q, k, v))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.drop(self.c_proj(y.transpose(1, 2).contiguous().view(batch, length, width)))
        return x + self.mlp["c_proj"](F.gelu(self.mlp["c_fc"](self.ln_2(x))))


@family("gpt", TOKENS, TOKENS)
class GPT(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.wte, self.wpe = nn.Embedding(40, 24), nn.Embedding(12, 24)
        self.blocks = nn.ModuleList(DecoderBlock(24, 4) for _ in range(3))
        self.ln_f, self.lm_head = nn.LayerNorm(24), nn.Linear(24, 40, bias=False)
        self.lm_head.weight = self.wte.weight

    def forward(self, tokens: Tensor) -> Tensor:
        if tokens.shape[1] > 12:
            raise ValueError("too long")
        x = self.wte(tokens) + self.wpe(torch.arange(tokens.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.lm_head(self.ln_f(x))


@family("encoder-decoder", (TOKENS, TOKENS.flip(1)), TOKENS)
class Seq2Seq(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(40, 24)
        self.transformer = nn.Transformer(24, 4, 2, 2, 48, batch_first=True)
        self.head = nn.Linear(24, 40)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        return self.head(self.transformer(self.embed(source), self.embed(target)))


@family("lstm", TOKENS, CLASSES[:6])
class LSTM(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.lstm = nn.Embedding(40, 16), nn.LSTM(16, 24, 2, batch_first=True)
        self.head = nn.Linear(24, 5)

    def forward(self, tokens: Tensor) -> Tensor:
        _, (hidden, _) = self.lstm(self.embed(tokens))
        return self.head(hidden[-1])


@family("autoencoder", IMAGES.flatten(1), IMAGES.flatten(1))
def autoencoder() -> nn.Module:
    sizes = [768, 64, 16, 64, 768]
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(sizes):
        layers += [nn.Linear(n_in, n_out), nn.Tanh()]
    return nn.Sequential(*layers[:-1])


@family("mixture of experts", IMAGES.flatten(1), CLASSES)
class Experts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.gate, self.head = nn.Linear(768, 24), nn.Linear(24, 3), nn.Linear(24, 5)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(24, 48), nn.ReLU(), nn.Linear(48, 24)) for _ in range(3)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.embed(x))
        weights = self.gate(x).softmax(-1)
        x = x + torch.einsum("be,bed->bd", weights, torch.stack([expert(x) for expert in self.experts], 1))
        return self.head(x)


@family("control flow", IMAGES.flatten(1), CLASSES)
class Choosing(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.twice, self.head = nn.Linear(768, 24), nn.Linear(24, 24), nn.Linear(24, 5)
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        x = torch.tanh(self.first(x))
        for _ in range(2 if x.mean() > -1 else 3):
            x = torch.tanh(self.twice(x))
        return self.head(x)
