"""Gradients of four micro batches are accumulated, clipped, and applied once."""

import hashlib

import torch
from torch import nn

torch.manual_seed(6)
ACCUMULATION_STEPS = 4

model = nn.Sequential(nn.Linear(5, 10), nn.LayerNorm(10), nn.ReLU(), nn.Linear(10, 1))
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.01)
before = {name: p.detach().clone() for name, p in model.named_parameters()}

optimizer.zero_grad(set_to_none=True)
for i, x in enumerate(torch.randn(20, 4, 5)):
    loss = (model(x).squeeze(1) - x.sin().sum(1)).square().mean()
    (loss / ACCUMULATION_STEPS).backward()
    print(f"micro batch {i} loss {loss.item()!r}")
    if (i + 1) % ACCUMULATION_STEPS == 0:
        norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        print(f"gradient norm {norm.item()!r}")

for name, p in model.named_parameters():
    assert not torch.equal(p, before[name]), name
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in model.parameters():
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
