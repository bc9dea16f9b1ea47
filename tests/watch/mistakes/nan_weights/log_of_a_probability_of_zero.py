"""A branch that where() hides still has a gradient, which is 0 times infinity.

Expect: nan; score.*; detect_anomaly
"""

import torch
from torch import nn

torch.manual_seed(74)
score = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 4))
optimizer = torch.optim.SGD(score.parameters(), lr=0.1)
for _ in range(3):
    keep = torch.rand(5, 4) > 0.5
    kept = score(torch.randn(5, 3)).softmax(-1) * keep
    loss = -torch.where(kept > 0, kept.log() * kept, 0.0).sum(-1).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
