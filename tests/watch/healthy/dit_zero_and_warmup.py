"""A DiT starts with zeros behind zeros, and its first rate is zero as well.

Expect row: zero; model.blocks.*.mlp.*; its gradient is zero as long as
Expect row: zero; model.t_embedder.*; its gradient is zero as long as
"""

import hashlib

import torch
from torch import nn

torch.manual_seed(83)


class DiTBlock(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.norm = nn.LayerNorm(dim, elementwise_affine=False)
        self.mlp = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, dim))
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(dim, 3 * dim))

    def forward(self, x, c):
        shift, scale, gate = self.adaLN_modulation(c).chunk(3, dim=1)
        return x + gate * self.mlp(self.norm(x) * (1 + scale) + shift)


class DiT(nn.Module):
    def __init__(self, dim=8, depth=2):
        super().__init__()
        self.x_embedder = nn.Linear(2, dim)
        self.t_embedder = nn.Linear(1, dim)
        self.blocks = nn.ModuleList(DiTBlock(dim) for _ in range(depth))
        self.final_layer = nn.Linear(dim, 2)
        for block in self.blocks:
            nn.init.zeros_(block.adaLN_modulation[-1].weight)
            nn.init.zeros_(block.adaLN_modulation[-1].bias)
        nn.init.zeros_(self.final_layer.weight)
        nn.init.zeros_(self.final_layer.bias)

    def forward(self, x, t):
        x, c = self.x_embedder(x), self.t_embedder(t)
        for block in self.blocks:
            x = block(x, c)
        return self.final_layer(x)


model = DiT()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0)
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1, step / 4))
before = {name: p.detach().clone() for name, p in model.named_parameters()}
for step in range(8):
    x0, t = torch.randn(16, 2) * 0.2 + 1, torch.rand(16, 1)
    noise = torch.randn_like(x0)
    loss = (model((1 - t) * x0 + t * noise, t) - (noise - x0)).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    scheduler.step()
    print(step, repr(loss.item()))
    if step == 2:
        assert all(p.grad.any() == 0 for p in model.blocks[0].mlp.parameters())

for name, p in model.named_parameters():
    assert not torch.equal(p, before[name]), name
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in model.parameters():
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
