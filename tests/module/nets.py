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
