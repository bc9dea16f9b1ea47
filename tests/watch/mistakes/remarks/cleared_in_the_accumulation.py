"""The gradients are cleared for each part of a batch, so only the last part counts.

Note: the gradients for AdamW of 6 backwards were cleared before its step()
"""

import torch
from torch import nn

torch.manual_seed(90)
model = nn.Sequential(nn.Linear(5, 8), nn.GELU(), nn.Linear(8, 1))
optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
for _ in range(5):
    for part in torch.randn(16, 5).chunk(4):
        optimizer.zero_grad()
        (model(part).square().mean() / 4).backward()
    optimizer.step()
