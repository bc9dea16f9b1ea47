"""A penalty is computed while its network is frozen, so its step finds no gradient.

Note: the step() of SGD at step_without_gradient.py:29 found no gradient
"""

import torch
from torch import nn


def requires_grad(network, flag):
    for parameter in network.parameters():
        parameter.requires_grad_(flag)


torch.manual_seed(88)
critic = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
optimizer = torch.optim.SGD(critic.parameters(), lr=0.1)
for _ in range(6):
    requires_grad(critic, True)
    data = torch.randn(8, 3).requires_grad_()
    optimizer.zero_grad()
    nn.functional.softplus(-critic(data)).mean().backward()
    optimizer.step()
    requires_grad(critic, False)
    data = torch.randn(8, 3).requires_grad_()
    optimizer.zero_grad()
    (slope,) = torch.autograd.grad(critic(data).sum(), data, create_graph=True)
    slope.square().sum().backward()
    optimizer.step()
