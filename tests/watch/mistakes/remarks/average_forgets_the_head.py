"""The average is updated by a loop over the encoders only; the key head stays.

Expect row: frozen; model.key_head.*; copied from model.query_head.*, and not changed;
Expect row: frozen; model.key.*; copied or averaged from model.query.*;
"""

import copy

import torch
from torch import nn


class Contrast(nn.Module):
    def __init__(self):
        super().__init__()
        self.query = nn.Sequential(nn.Linear(6, 12), nn.ReLU())
        self.query_head = nn.Linear(12, 4)
        self.key = copy.deepcopy(self.query).requires_grad_(False)
        self.key_head = copy.deepcopy(self.query_head).requires_grad_(False)

    @torch.no_grad()
    def follow(self):
        pairs = self.query.parameters(), self.key.parameters()
        for mine, theirs in zip(*pairs, strict=True):
            theirs.mul_(0.9).add_(mine, alpha=0.1)

    def forward(self, one, other):
        queries = self.query_head(self.query(one))
        with torch.no_grad():
            keys = self.key_head(self.key(other))
        return nn.functional.cross_entropy(queries @ keys.T, torch.arange(len(one)))


torch.manual_seed(96)
model = Contrast()
trainable = [p for p in model.parameters() if p.requires_grad]
optimizer = torch.optim.SGD(trainable, lr=0.1)
for _ in range(5):
    x = torch.randn(8, 6)
    model.follow()
    loss = model(x, x + 0.1 * torch.randn_like(x))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
