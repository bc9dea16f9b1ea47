"""Defines the networks for the measurements: large ones, and one of many parts."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.functional import relu, scaled_dot_product_attention


class ResNet50(nn.Module):
    """A ResNet-50 for 1,000 classes: 25.6 million parameters, 53 batch norms."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            *_convolve(3, 64, size=7, stride=2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)
        )
        self.layer1 = _stage(64, 64, blocks=3, stride=1)
        self.layer2 = _stage(256, 128, blocks=4, stride=2)
        self.layer3 = _stage(512, 256, blocks=6, stride=2)
        self.layer4 = _stage(1024, 512, blocks=3, stride=2)
        self.head = nn.Linear(2048, 1000)

    def forward(self, images: Tensor) -> Tensor:
        x = self.layer2(self.layer1(self.stem(images)))
        x = self.layer4(self.layer3(x))
        return self.head(x.mean((2, 3)))


class Bottleneck(nn.Module):
    """Three convolutions and a residual connection."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(*_convolve(inputs, width, size=1), nn.ReLU()),
            *(*_convolve(width, width, size=3, stride=stride), nn.ReLU()),
            *_convolve(width, 4 * width, size=1),
        )
        same = inputs == 4 * width
        around = () if same else _convolve(inputs, 4 * width, size=1, stride=stride)
        self.around = nn.Sequential(*around)

    def forward(self, x: Tensor) -> Tensor:
        return relu(self.body(x) + self.around(x))


def _stage(inputs: int, width: int, *, blocks: int, stride: int) -> nn.Sequential:
    first = Bottleneck(inputs, width, stride)
    return nn.Sequential(
        first, *(Bottleneck(4 * width, width, 1) for _ in range(blocks - 1))
    )


def _convolve(
    inputs: int, outputs: int, *, size: int, stride: int = 1
) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    convolution = nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)
    return convolution, nn.BatchNorm2d(outputs)


class Transformer(nn.Module):
    """A GPT of 12 layers for 2,048 tokens: 87 million parameters, head and input tied.

    It has no dropout, so that a second run computes the same.
    """

    def __init__(self, width: int = 768) -> None:
        super().__init__()
        self.tokens = nn.Embedding(2048, width)
        self.positions = nn.Embedding(256, width)
        self.layers = nn.Sequential(*(Block(width, heads=12) for _ in range(12)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 2048, bias=False)
        self.head.weight = self.tokens.weight

    def forward(self, tokens: Tensor) -> Tensor:
        places = torch.arange(tokens.shape[1])
        x = self.layers(self.tokens(tokens) + self.positions(places))
        return self.head(self.norm(x))


class Block(nn.Module):
    """Causal attention, and a feed-forward network for each token."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.queries_keys_values = nn.Linear(width, 3 * width)
        self.mix = nn.Linear(width, width)
        self.feed = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        split = self.queries_keys_values(self.norm1(x)).unflatten(
            2, (3, self.heads, -1)
        )
        q, k, v = split.permute(2, 0, 3, 1, 4)
        seen = scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.mix(seen.transpose(1, 2).flatten(2))
        return x + self.feed(self.norm2(x))


class Wide(nn.Module):
    """Parts side by side, not one after the other, so that the graph is not deep.

    PyTorch itself crashes when it frees a chain of 100,000 nodes that Python has seen.
    """

    def __init__(self, parts: Iterable[nn.Module]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([part(x) for part in self.parts]).sum(0, keepdim=True)


class Scale(nn.Module):
    """One parameter of one number, and one operation."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight


def many(count: int) -> nn.Module:
    """Return a model of ``count`` parameters of one number, ten in each block."""
    return Wide(Wide(Scale() for _ in range(10)) for _ in range(count // 10))
