"""A new optimizer for each epoch is made from a filter that is used up.

Note: model.body.0.weight and 1 more: trained by an earlier Adam; the Adam that steps
"""

import torch
from torch import nn


class Rated(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(5, 9), nn.ReLU())
        self.head = nn.Linear(9, 1)

    def forward(self, x):
        return self.head(self.body(x))


torch.manual_seed(35)
model = Rated()
body = filter(lambda p: p.requires_grad, model.body.parameters())
for epoch in range(4):
    rate = 1e-3 / 10**epoch
    groups = [{"params": body}, {"params": model.head.parameters(), "lr": 10 * rate}]
    solver = torch.optim.Adam(groups, lr=rate)
    for _ in range(1 + epoch):
        x = torch.randn(8, 5)
        solver.zero_grad()
        (model(x) - x.sum(1, keepdim=True)).square().mean().backward()
        solver.step()
