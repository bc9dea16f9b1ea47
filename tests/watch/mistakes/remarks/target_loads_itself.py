"""The target network loads its own weights, and so never follows the other one.

Note: copies a tensor into itself at target_loads_itself.py:23
"""

import copy

import torch
from torch import nn

torch.manual_seed(93)
online = nn.Linear(4, 2)
target = copy.deepcopy(online).requires_grad_(False)
optimizer = torch.optim.Adam(online.parameters(), lr=0.01)
for _ in range(5):
    states, after = torch.randn(8, 4), torch.randn(8, 4)
    values = online(states).gather(1, torch.randint(2, (8, 1)))
    aims = torch.randn(8, 1) + 0.9 * target(after).max(1, keepdim=True).values
    optimizer.zero_grad()
    nn.functional.smooth_l1_loss(values, aims).backward()
    optimizer.step()
    with torch.no_grad():
        target.load_state_dict(target.state_dict())
