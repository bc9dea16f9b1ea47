"""Makes small networks, and reads the state that a freeze changes."""

import torch
from torch import Tensor, nn

from gradguide import changed


class Net(nn.Module):
    """A network with similar names, and norms with and without parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.layer1 = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
        self.layer10 = nn.Linear(4, 4)
        self.layer2 = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4, affine=False))
        self.head = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layer2(self.layer10(self.layer1(x))))


class Attention(nn.Module):
    """An attention whose softmax and products have no module of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(8, 8) for _ in range(3))
        self.out = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        scores = (self.q(x) @ self.k(x).mT).softmax(-1)
        return self.out(scores @ self.v(x))


class Block(nn.Module):
    """A block of a transformer."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(8), nn.LayerNorm(8)
        self.attention = Attention()
        self.feed = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 8))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x))
        return x + self.feed(self.norm2(x))


class Twice(nn.Module):
    """A module that calls another one twice."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(self.inner(x).exp())


class Raw(nn.Module):
    """A module that uses its own parameters, one after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = (nn.Parameter(torch.ones(8, 8)) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        return (x @ self.first).tanh() @ self.last


class Residual(nn.Module):
    """A block as in a ResNet, with an activation at its end."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.ReLU())
        self.last = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return (x + self.last(self.body(x))).relu()


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))


def norm_net() -> nn.Sequential:
    """Return a network whose forward differs between training and evaluation."""
    return nn.Sequential(
        nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 2)
    )


def flags(model: nn.Module) -> dict[str, bool]:
    return {name: p.requires_grad for name, p in model.named_parameters()}


def everything(model: nn.Module) -> list[object]:
    """Return all state that a freeze may change; gradients by identity."""
    return [
        [(name, p.requires_grad, id(p.grad)) for name, p in model.named_parameters()],
        [
            (name, m.training, list(m._forward_pre_hooks))
            for name, m in model.named_modules()
        ],
    ]


def moved(model: nn.Module) -> list[str]:
    """Return the names of the buffers that a forward in training mode updates."""
    with changed(model) as names:
        model.train()(torch.randn(8, 3))
    return names
