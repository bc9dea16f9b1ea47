"""A term of the loss counts inconsistent classes: argmax gives it no gradient.

Note: gives no gradient: argmax() is not differentiable at penalty_counts_errors.py:23
"""

import torch
from torch import nn


class TwoLevels(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, 16), nn.ReLU())
        self.coarse = nn.Linear(16, 2)
        self.fine = nn.Linear(16, 6)

    def forward(self, x):
        hidden = self.body(x)
        return self.coarse(hidden), self.fine(hidden)


def inconsistent(coarse, fine):
    wrong = coarse.argmax(1) != fine.argmax(1) // 3
    return wrong.float().mean()


torch.manual_seed(32)
model = TwoLevels()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for _ in range(5):
    label = torch.randint(6, (16,))
    coarse, fine = model(torch.randn(16, 8))
    loss = nn.functional.cross_entropy(coarse, label // 3)
    loss = loss + nn.functional.cross_entropy(fine, label)
    loss = loss + inconsistent(coarse, fine)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
