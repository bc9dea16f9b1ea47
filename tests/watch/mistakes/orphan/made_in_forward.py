"""Each forward makes a new layer, which nobody registers or trains.

Expect: unregistered; tensor * and *; reached by the loss, but not a param; # anew
"""

import torch
from torch import nn


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.query = nn.Linear(8, 8)
        self.value = nn.Linear(8, 8)

    def forward(self, x):
        scores = self.query(x) @ x.transpose(1, 2) / 8**0.5
        mixed = scores.softmax(-1) @ self.value(x)
        return nn.Linear(8, 8)(mixed) + x  # anew


torch.manual_seed(36)
model = nn.Sequential(Attention(), Attention(), nn.Linear(8, 2))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for _ in range(5):
    loss = model(torch.randn(4, 3, 8)).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
