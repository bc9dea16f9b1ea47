"""Weights are updated by hand under no_grad, without any optimizer."""

import hashlib

import torch
from torch import nn

torch.manual_seed(52)
model = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 1))
loss_fn = nn.MSELoss(reduction="sum")
x = torch.randn(40, 3)
y = x.pow(2).sum(1, keepdim=True)
before = [p.detach().clone() for p in model.parameters()]

for t in range(8):
    y_pred = model(x)
    loss = loss_fn(y_pred, y)
    print(t, repr(loss.item()))
    model.zero_grad()
    loss.backward()
    with torch.no_grad():
        for param in model.parameters():
            param.sub_(1e-4 * param.grad)

assert not any(map(torch.equal, before, model.parameters()))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in model.parameters():
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
