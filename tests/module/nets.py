"""Holds the network that the tests freeze, and what they ask of it."""

import torch
from torch import Tensor, nn

from gradguide import changed


class Net(nn.Module):
    """A small network with what freezing must tell apart."""

    def __init__(self) -> None:
        super().__init__()
        self.layer1 = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
        self.layer10 = nn.Linear(4, 4)
        self.layer2 = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4, affine=False))
        self.head = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layer2(self.layer10(self.layer1(x))))


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
    """All that a freeze may touch, gradients by identity."""
    return [
        [(name, p.requires_grad, id(p.grad)) for name, p in model.named_parameters()],
        [
            (name, m.training, list(m._forward_pre_hooks))
            for name, m in model.named_modules()
        ],
    ]


def moved(model: nn.Module) -> list[str]:
    """The buffers that a forward pass in training mode moves."""
    with changed(model) as names:
        model.train()(torch.randn(8, 3))
    return names
