"""A warm-up that counts epochs keeps the rate at zero for the whole first epoch.

Expect row: still; model.*; lr is 0 in these steps
"""

import hashlib

import torch
from torch import nn

torch.manual_seed(86)
model = nn.Sequential(nn.Linear(5, 10), nn.Tanh(), nn.Linear(10, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
scheduler = torch.optim.lr_scheduler.LambdaLR(
    optimizer, lambda epoch: min(1, epoch / 2)
)
before = [p.detach().clone() for p in model.parameters()]
x = torch.randn(32, 5)
y = x.mean(1, keepdim=True)
for epoch in range(4):
    for rows in torch.randperm(32).split(8):
        loss = nn.functional.mse_loss(model(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(epoch, repr(loss.item()))
    if epoch == 0:
        assert all(map(torch.equal, before, model.parameters()))
    scheduler.step()

assert not any(map(torch.equal, before, model.parameters()))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in model.parameters():
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
