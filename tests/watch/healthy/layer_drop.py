"""Whole blocks are dropped at random, each in some iterations (stochastic depth)."""

import hashlib
import random

import torch
from torch import nn


class LayerDrop(nn.Module):
    def __init__(self, block, drop):
        super().__init__()
        self.block = block
        self.drop = drop

    def forward(self, x):
        if self.training and random.random() < self.drop:
            return x
        return x + self.block(x)


random.seed(2)
torch.manual_seed(92)
net = nn.Sequential(
    nn.Linear(4, 10),
    *[LayerDrop(nn.Sequential(nn.Linear(10, 10), nn.SELU()), 0.4) for _ in range(3)],
    nn.Linear(10, 2),
)
before = {name: p.detach().clone() for name, p in net.named_parameters()}
optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
for step in range(8):
    x = torch.randn(16, 4)
    loss = nn.functional.cross_entropy(net(x), (x.sum(1) > 0).long())
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    used = [b.block[0].weight.grad is not None for b in net[1:4]]
    print(step, repr(loss.item()), used)
    if step == 2:
        early = {n for n, p in net.named_parameters() if (p != before[n]).any()}

assert early == set(before), "each block is used in the first three iterations"
assert not any(torch.equal(p, before[name]) for name, p in net.named_parameters())
digest = hashlib.sha256(torch.get_rng_state().numpy())
digest.update(repr(random.getstate()).encode())
for p in net.parameters():
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
