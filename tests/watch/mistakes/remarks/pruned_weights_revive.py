"""A hook masks the gradients of pruned weights, but their momentum moves them.

Note: a hook sets entries of its gradient to 0, and SGD moves these by momentum
"""

import torch
from torch import nn

torch.manual_seed(34)
model = nn.Sequential(nn.Linear(10, 20), nn.Tanh(), nn.Linear(20, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)


def step():
    x, label = torch.randn(16, 10), torch.randint(3, (16,))
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), label).backward()
    optimizer.step()


def prune(layer):
    keeps = layer.weight.abs() > layer.weight.abs().median()
    with torch.no_grad():
        layer.weight.mul_(keeps)
    layer.weight.register_hook(lambda grad: grad * keeps)


step()
prune(model[0])
for _ in range(5):
    step()
