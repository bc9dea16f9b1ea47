"""A whole model in bfloat16 has a rate that is large enough for its precision."""

import hashlib

import torch
from torch import nn

torch.manual_seed(146)
model = nn.Sequential(
    nn.Linear(6, 16), nn.LayerNorm(16), nn.ReLU(), nn.Linear(16, 3)
).bfloat16()
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-2, foreach=True)
before = [p.detach().clone() for p in model.parameters()]
for step in range(6):
    x = torch.randn(32, 6).bfloat16()
    loss = nn.functional.cross_entropy(model(x), x[:, :3].argmax(1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, repr(loss.item()))

assert not any(map(torch.equal, before, model.parameters()))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in model.parameters():
    digest.update(p.detach().view(torch.int16).numpy().tobytes())
print("digest", digest.hexdigest())
