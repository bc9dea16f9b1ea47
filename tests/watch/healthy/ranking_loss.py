"""A ranking loss compares scores, so the last bias has no effect on it.

The gradients of its two uses cancel out, and nobody has to do anything about it.

Expect row: zero; scorer.2.bias; cancel out
"""

import torch
from torch import nn

torch.manual_seed(87)
scorer = nn.Sequential(nn.Linear(6, 16), nn.ELU(), nn.Linear(16, 1))
optimizer = torch.optim.Adam(scorer.parameters(), lr=0.001)
for _ in range(4):
    better, worse = torch.randn(8, 6) + 0.5, torch.randn(8, 6)
    loss = nn.functional.softplus(scorer(worse) - scorer(better)).mean()
    for parameter in scorer.parameters():
        if parameter.grad is not None:
            parameter.grad.data.zero_()  # as in code of old: no version counts it
    loss.backward()
    optimizer.step()
    print(loss.item(), sum(p.double().sum().item() for p in scorer.parameters()))
