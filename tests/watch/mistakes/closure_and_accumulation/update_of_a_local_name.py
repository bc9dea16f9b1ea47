"""A hand-written update rebinds the loop variable and leaves the parameters alone.

Expect: not in optimizer; model.*; gets a gradient that nobody applies;
Expect: nothing trains; *; ;
"""

import torch
from torch import nn


def sgd(parameters, lr):
    for p in parameters:
        p = p - lr * p.grad  # noqa: PLW2901 is the mistake
        assert not p.is_leaf


def main():
    torch.manual_seed(80)
    model = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1))
    xor = torch.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    target = (xor.sum(1, keepdim=True) == 1).float()
    losses = []
    for _ in range(5):
        loss = nn.functional.mse_loss(model(xor), target)
        model.zero_grad()
        loss.backward()
        sgd(model.parameters(), lr=0.5)
        losses.append(loss.item())
    print(losses)
    assert len(set(losses)) == 1
    assert all(p.grad.any() for p in model.parameters())


main()
