"""A scaler that starts far too high skips four steps, and from the fifth all trains."""

import hashlib

import torch
from torch import nn

torch.manual_seed(9)
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
scaler = torch.amp.GradScaler("cpu", init_scale=2.0**15)
x = torch.randn(16, 8)
y = x.square().sum(1, keepdim=True)
before = [p.detach().clone() for p in model.parameters()]
skipped = 0

for step in range(10):
    with torch.autocast("cpu", dtype=torch.float16):
        loss = nn.functional.mse_loss(model(x), y.half())
    optimizer.zero_grad()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scale = scaler.get_scale()
    scaler.update()
    skipped += scaler.get_scale() < scale
    print(f"step {step} loss {loss.item()!r} scale {scaler.get_scale()!r}")

assert skipped == 4, skipped
assert not any(map(torch.equal, before, model.parameters()))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in model.parameters():
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
