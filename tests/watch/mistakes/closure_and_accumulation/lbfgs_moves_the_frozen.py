"""LBFGS moves a layer that was frozen after the first step, by its history of steps.

Expect: moves; model.first.*; ;
"""

import torch
from torch import nn


class Curve(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(1, 8)
        self.second = nn.Linear(8, 1)

    def forward(self, x):
        return self.second(torch.cos(self.first(x)))


torch.manual_seed(40)
model = Curve()
optimizer = torch.optim.LBFGS(model.parameters(), lr=0.2, max_iter=3, history_size=10)
x = torch.linspace(-2, 2, 25)[:, None]
y = x.abs()


def closure():
    optimizer.zero_grad()
    loss = (model(x) - y).square().mean()
    loss.backward()
    return loss


for step in range(4):
    if step == 1:
        model.first.requires_grad_(False)
        frozen = model.first.weight.detach().clone()
    print(step, optimizer.step(closure).item())
assert model.first.weight.grad is None
assert not torch.equal(model.first.weight, frozen)
