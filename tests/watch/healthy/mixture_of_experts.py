"""A router sends tokens to few experts, so that some get none in an iteration."""

import hashlib

import torch
from torch import nn

torch.manual_seed(91)


class MoE(nn.Module):
    def __init__(self, dim=8, experts=6, k=1):
        super().__init__()
        self.k = k
        self.router = nn.Linear(dim, experts, bias=False)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(dim, 12), nn.GELU(), nn.Linear(12, dim))
            for _ in range(experts)
        )
        self.register_buffer("load", torch.zeros(experts))

    def forward(self, x):
        weight, chosen = self.router(x).softmax(-1).topk(self.k)
        out = torch.zeros_like(x)
        for i, expert in enumerate(self.experts):
            rows, slot = (chosen == i).nonzero(as_tuple=True)
            self.load[i] = len(rows)
            if len(rows):
                y = expert(x[rows]) * weight[rows, slot, None]
                out = out.index_add(0, rows, y)
        return out


model = nn.Sequential(nn.Linear(5, 8), MoE(), nn.Linear(8, 1))
moe = model[1]
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
before = {name: p.detach().clone() for name, p in model.named_parameters()}
loads = []
for step in range(8):
    x = torch.randn(10, 5) * 2
    loss = (model(x).squeeze(1) - x.prod(1)).abs().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    loads.append(moe.load.clone())
    print(step, repr(loss.item()), moe.load.tolist())

assert all((load == 0).any() for load in loads[:3])
assert (sum(loads[:3]) > 0).all(), "each expert has tokens in the first three"
for name, p in model.named_parameters():
    assert not torch.equal(p, before[name]), name
digest = hashlib.sha256(torch.get_rng_state().numpy())
for value in model.state_dict().values():
    digest.update(value.numpy().tobytes())
print("digest", digest.hexdigest())
