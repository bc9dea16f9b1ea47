"""The best weights are loaded again after each step, as the comparison is inverted.

Expect: undone; network.*; overwritten; # loads
"""

import copy

import torch
from torch import nn

torch.manual_seed(81)
network = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
inputs = torch.randn(32, 4)
targets = inputs.sum(1, keepdim=True)
best_loss, best = float("-inf"), copy.deepcopy(network.state_dict())
for _ in range(6):
    loss = nn.functional.mse_loss(network(inputs), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if loss.item() < 1e9 and best_loss < 0:
        network.load_state_dict(best)  # loads
