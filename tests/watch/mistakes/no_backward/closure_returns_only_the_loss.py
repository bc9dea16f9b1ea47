"""The closure computes the loss and never calls backward.

Expect: unused; model.*; step() ran, but no backward() before it
Expect: nothing trains; *; ;
"""

import torch
from torch import nn

torch.manual_seed(77)
model = nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 1)).double().float()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)


def closure():
    x = torch.randn(6, 5)
    optimizer.zero_grad()
    return nn.functional.mse_loss(model(x), x.mean(1, keepdim=True))


for _ in range(4):
    print(optimizer.step(closure).item())
