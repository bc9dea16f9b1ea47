"""Langevin noise is added to all parameters after each step, also to frozen ones.

Expect: moves; *prior.*; written by hand; # blame
"""

from dataclasses import dataclass

import torch
from torch import nn


@dataclass
class Langevin:
    model: nn.Module
    optimizer: torch.optim.Optimizer
    temperature: float = 1e-4

    def step(self):
        self.optimizer.step()
        lr = self.optimizer.param_groups[0]["lr"]
        with torch.no_grad():
            for parameter in self.model.parameters():
                noise = torch.randn_like(parameter)
                parameter.add_(noise, alpha=(2 * lr * self.temperature) ** 0.5)  # blame


class WithPrior(nn.Module):
    def __init__(self):
        super().__init__()
        self.prior = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))
        self.net = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))
        self.prior.requires_grad_(False)

    def forward(self, x):
        return self.net(x) + self.prior(x)


def main():
    torch.manual_seed(13)
    model = WithPrior()
    before = [p.tolist() for p in model.prior.parameters()]
    sampler = Langevin(model, torch.optim.SGD(model.net.parameters(), lr=0.01))
    for _ in range(4):
        x = torch.randn(30, 1)
        loss = (model(x) - x.sin()).square().mean()
        model.net.zero_grad()
        loss.backward()
        sampler.step()
        print(loss.item())
    for values, parameter in zip(before, model.prior.parameters(), strict=True):
        assert parameter.tolist() != values
        assert parameter.grad is None


main()
