"""Layers of a branch are built in each setting, and the forward never takes it.

Expect: unused; model.skip.*; never read in the forward;
Expect: unused; model.tokens; never read in the forward;
"""

import torch
from torch import nn


class Mixer(nn.Module):
    def __init__(self, width, pool="mean"):
        super().__init__()
        self.pool = pool
        self.tokens = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.mix = nn.MultiheadAttention(width, 2, batch_first=True)
        self.skip = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, 3)

    def forward(self, x):
        if self.pool == "token":
            x = torch.cat([self.tokens.expand(len(x), -1, -1), self.skip(x)], 1)
        x = x + self.mix(x, x, x, need_weights=False)[0]
        x = self.norm(x)
        return self.out(x[:, 0] if self.pool == "token" else x.mean(1))


torch.manual_seed(66)
model = Mixer(8)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
data = [(torch.randn(5, 6, 8), torch.randint(3, (5,))) for _ in range(4)]
for x, y in data:
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(loss.item())
assert model.tokens.grad is None
assert model.skip.weight.grad is None
assert {id(p) for p in optimizer.state} == {
    id(p) for p in model.parameters() if p.grad is not None
}
