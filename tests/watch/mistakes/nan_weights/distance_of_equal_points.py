"""The root of a squared distance of zero has an infinite slope: its gradient is nan.

Expect: nan; embed.*; detect_anomaly
"""

import torch
from torch import nn


def distances(points):
    return (points[:, None] - points[None]).square().sum(-1).sqrt()


torch.manual_seed(73)
embed = nn.Linear(4, 2)
optimizer = torch.optim.Adam(embed.parameters(), lr=0.01)
for _ in range(3):
    loss = (distances(embed(torch.randn(6, 4))) - 1).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
