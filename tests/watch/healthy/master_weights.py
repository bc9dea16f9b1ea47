"""A bfloat16 model computes gradients, and its float32 master weights are updated."""

import hashlib

import torch
from torch import nn

torch.manual_seed(145)
model = nn.Sequential(nn.Linear(6, 16), nn.GELU(), nn.Linear(16, 1))
master = [p.detach().clone().float() for p in model.parameters()]
model = model.to(torch.bfloat16)
optimizer = torch.optim.AdamW(master, lr=1e-2)
before = [p.clone() for p in master]
low_before = [p.detach().clone() for p in model.parameters()]
for step in range(6):
    x = torch.randn(16, 6)
    loss = (model(x.bfloat16()).float().squeeze(1) - x.sum(1)).pow(2).mean()
    loss.backward()
    for high, low in zip(master, model.parameters(), strict=True):
        high.grad = low.grad.float()
    optimizer.step()
    model.zero_grad()
    with torch.no_grad():
        for high, low in zip(master, model.parameters(), strict=True):
            low.copy_(high)
    print(step, repr(loss.item()))

assert not any(map(torch.equal, before, master))
assert not any(map(torch.equal, low_before, model.parameters()))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in master:
    digest.update(p.numpy().tobytes())
for p in model.parameters():
    digest.update(p.detach().view(torch.int16).numpy().tobytes())
print("digest", digest.hexdigest())
