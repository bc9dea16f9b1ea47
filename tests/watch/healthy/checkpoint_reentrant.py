"""Blocks are recomputed by reentrant checkpoints whose input requires grad."""

import hashlib

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

torch.manual_seed(69)


class Encoder(nn.Module):
    def __init__(self, dim=12, depth=3):
        super().__init__()
        self.embed = nn.Linear(5, dim)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Linear(dim, dim), nn.Dropout(0.1), nn.Tanh())
            for _ in range(depth)
        )
        self.head = nn.Linear(dim, 1)

    def forward(self, x):
        x = self.embed(x)
        for block in self.blocks:
            if self.training:
                x = x + checkpoint(block, x, use_reentrant=True)
            else:
                x = x + block(x)
        return self.head(x)


model = Encoder()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
before = [p.detach().clone() for p in model.parameters()]
for step in range(6):
    x = torch.randn(16, 5)
    loss = (model(x).squeeze(1) - x.norm(dim=1)).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, repr(loss.item()))

assert not any(map(torch.equal, before, model.parameters()))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for value in model.state_dict().values():
    digest.update(value.numpy().tobytes())
print("digest", digest.hexdigest())
