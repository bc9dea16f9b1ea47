"""Reptile trains a deep copy and forgets to move the model towards it.

Expect: cut; model.*; copy.deepcopy() made other parameters; # blame
"""

from copy import deepcopy

import torch
from torch import nn


def waves(n):
    amplitude, phase = 0.1 + 4.9 * torch.rand(1), 3 * torch.rand(1)
    x = 10 * torch.rand(n, 1) - 5
    return x, amplitude * torch.sin(x + phase)


def inner_loop(model, x, y, steps, lr):
    weights = deepcopy(model)  # blame
    optimizer = torch.optim.SGD(weights.parameters(), lr)
    for _ in range(steps):
        loss = (weights(x) - y).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return weights, loss.item()


def main():
    torch.manual_seed(99)
    model = nn.Sequential()
    model.add_module("hidden", nn.Linear(1, 32))
    model.add_module("tanh", nn.Tanh())
    model.add_module("out", nn.Linear(32, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    first = torch.cat([p.flatten() for p in model.parameters()]).tolist()
    for iteration in range(4):
        trained, loss = inner_loop(model, *waves(20), steps=3, lr=0.02)
        distance = sum(
            (p - q).norm().item()
            for p, q in zip(model.parameters(), trained.parameters(), strict=True)
        )
        optimizer.step()
        optimizer.zero_grad()
        print(iteration, loss, distance)
        assert distance > 0
    assert torch.cat([p.flatten() for p in model.parameters()]).tolist() == first


if __name__ == "__main__":
    main()
