"""Magnitude pruning sets to 0 what it should only prune in layers that train.

Expect: moves; net.layers.0.weight; written by hand; # blame
Expect: moves; net.layers.1.weight; written by hand; # blame
"""

import itertools

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        pairs = itertools.pairwise(sizes)
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairs)

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = nn.functional.relu6(layer(x))
        return self.layers[-1](x)


@torch.no_grad()
def prune(model, fraction):
    for module in model.modules():
        if isinstance(module, nn.Linear):
            limit = module.weight.abs().flatten().quantile(fraction)
            mask = module.weight.abs() > limit
            module.weight.mul_(mask)  # blame


torch.manual_seed(65)
net = Net([4, 10, 10, 3])
net.layers[:2].requires_grad_(False)
optimizer = torch.optim.SGD(net.layers[2].parameters(), lr=0.1)
start = [layer.weight.clone() for layer in net.layers]
for epoch in range(3):
    for x in torch.randn(2, 12, 4):
        loss = nn.functional.cross_entropy(net(x), x[:, :3].argmax(1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        prune(net, fraction=0.1 * (epoch + 1))
    print(epoch, loss.item())
for layer, before in zip(net.layers, start, strict=True):
    assert not torch.equal(layer.weight, before)
assert not net.layers[0].weight.requires_grad
assert (net.layers[0].weight == 0).any()
