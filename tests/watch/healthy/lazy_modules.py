"""Lazy layers get their parameters in a first forward, before the optimizer is made."""

import hashlib

import torch
from torch import nn

torch.manual_seed(163)
model = nn.Sequential(
    nn.LazyLinear(8), nn.LazyBatchNorm1d(), nn.ReLU(), nn.LazyLinear(2)
)
with torch.no_grad():
    model(torch.zeros(2, 5))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2, amsgrad=True)
before = {name: value.clone() for name, value in model.state_dict().items()}
for step in range(6):
    x = torch.randn(16, 5)
    loss = nn.functional.cross_entropy(model(x), (x[:, 0] > x[:, 1]).long())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, repr(loss.item()))

for name, value in model.state_dict().items():
    assert not torch.equal(value, before[name]), name
digest = hashlib.sha256(torch.get_rng_state().numpy())
for value in model.state_dict().values():
    digest.update(value.numpy().tobytes())
print("digest", digest.hexdigest())
