"""Weights under weight norm, spectral norm and other parametrizations all train."""

import hashlib

import torch
from torch import nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import orthogonal, spectral_norm, weight_norm


class Symmetric(nn.Module):
    def forward(self, x):
        return x.triu() + x.triu(1).mT


torch.manual_seed(101)
net = nn.Sequential(
    weight_norm(nn.Linear(5, 8)),
    nn.Tanh(),
    spectral_norm(nn.Linear(8, 8)),
    nn.Tanh(),
    orthogonal(nn.Linear(8, 8, bias=False)),
    nn.Linear(8, 8),
    nn.Linear(8, 1),
)
parametrize.register_parametrization(net[5], "weight", Symmetric())
before = {name: value.clone() for name, value in net.state_dict().items()}
optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
for step in range(6):
    x = torch.randn(16, 5)
    with parametrize.cached():
        loss = (net(x).squeeze(1) - x.sum(1)).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, repr(loss.item()))

names = {name for name, _ in net.named_parameters()}
for name, value in net.state_dict().items():
    by_design = name.endswith("weight.0.base")  # the base of the orthogonal map
    assert torch.equal(value, before[name]) == by_design, name
assert {f"0.parametrizations.weight.original{i}" for i in (0, 1)} <= names
digest = hashlib.sha256(torch.get_rng_state().numpy())
for value in net.state_dict().values():
    digest.update(value.numpy().tobytes())
print("digest", digest.hexdigest())
