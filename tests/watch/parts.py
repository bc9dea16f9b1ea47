"""A model in two parts of which one is cut off, for tests of ``watch``."""

import torch
from torch import Tensor, nn
from torch.nn.modules import module as modules
from torch.optim import SGD, Optimizer
from torch.optim import optimizer as optimizers

from gradguide import Report


def hooks() -> list[object]:
    """Return the hooks and modes of PyTorch that are there."""
    kinds = [getattr(modules, name) for name in vars(modules) if "_hooks" in name]
    kinds += [
        getattr(optimizers, name) for name in vars(optimizers) if "_hooks" in name
    ]
    found = [list(kind) for kind in kinds if isinstance(kind, dict)]
    return [found, torch.overrides._len_torch_function_stack()]


def parts() -> tuple[nn.Module, nn.Module, Optimizer]:
    """Make the two parts, and their optimizer."""
    encoder, head = nn.Linear(3, 2), nn.Linear(2, 1)
    return encoder, head, SGD([*encoder.parameters(), *head.parameters()], lr=0.1)


def train(encoder: nn.Module, head: nn.Module, optimizer: Optimizer) -> Tensor:
    """Make a training step in which the encoder is cut off; return the loss."""
    loss = head(encoder(torch.ones(2, 3)).detach()).square().sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


def verdicts(report: Report) -> dict[str, str]:
    """Return the verdict on each parameter."""
    return {row.name: row.verdict for row in report}


RIGHT = {
    "encoder.weight": "cut",
    "encoder.bias": "cut",
    "head.weight": "trains",
    "head.bias": "trains",
}
