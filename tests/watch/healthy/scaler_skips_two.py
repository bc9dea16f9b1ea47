"""A gradient scaler skips two steps of float16 training and then lets all train."""

import hashlib

import torch
from torch import nn

torch.manual_seed(8)
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
scaler = torch.amp.GradScaler("cpu", init_scale=2.0**14)
x = torch.randn(16, 8)
y = x.square().sum(1, keepdim=True)
before = [p.detach().clone() for p in model.parameters()]
moved = []

for step in range(8):
    previous = [p.detach().clone() for p in model.parameters()]
    optimizer.zero_grad()
    with torch.autocast("cpu", dtype=torch.float16):
        prediction = model(x)
        loss = nn.functional.mse_loss(prediction, y.half())
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    nn.utils.clip_grad_norm_(model.parameters(), 5.0)
    scaler.step(optimizer)
    scaler.update()
    moved.append(not any(map(torch.equal, previous, model.parameters())))
    print(f"step {step} loss {loss.item()!r} scale {scaler.get_scale()!r}")

assert moved == [False] * 2 + [True] * 6, moved
assert not any(map(torch.equal, before, model.parameters()))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in model.parameters():
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
