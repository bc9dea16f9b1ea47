"""Makes optimizers, and a network that was trained with one of them."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from .scenarios import Two

OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    "SGD": lambda p: torch.optim.SGD(p, lr=0.1),
    "SGD momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
    "SGD nesterov": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "SGD decay": lambda p: torch.optim.SGD(p, lr=0.1, weight_decay=0.1),
    "SGD both": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.1),
    "Adam": lambda p: torch.optim.Adam(p, lr=0.1),
    "Adam decay": lambda p: torch.optim.Adam(p, lr=0.1, weight_decay=0.1),
    "Adam fused": lambda p: torch.optim.Adam(p, lr=0.1, fused=True),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=0.1),
    "AdamW foreach": lambda p: torch.optim.AdamW(p, lr=0.1, foreach=True),
    "RMSprop": lambda p: torch.optim.RMSprop(p, lr=0.1),
    "RMSprop momentum": lambda p: torch.optim.RMSprop(p, lr=0.1, momentum=0.9),
    "Adagrad": lambda p: torch.optim.Adagrad(p, lr=0.1),
    "Adagrad decay": lambda p: torch.optim.Adagrad(p, lr=0.1, weight_decay=0.1),
}


def trained(make: Callable[..., Optimizer], steps: int) -> tuple[Two, Optimizer]:
    """Return a network and its optimizer after some steps."""
    model = Two(torch.tanh).double()
    optimizer = make(model.parameters())
    for _ in range(steps):
        optimizer.zero_grad()
        loss_of(model).backward()
        optimizer.step()
    return model, optimizer


def loss_of(model: nn.Module) -> Tensor:
    x = torch.arange(15.0, dtype=torch.double).reshape(5, 3) / 15
    return model(x).square().sum()
