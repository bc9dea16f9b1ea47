"""The hidden layers of a network are in a plain list, and the optimizer lacks them.

Expect: unregistered; *hidden*; not a parameter of the model;
"""

from itertools import pairwise

import torch
from torch import nn


class MLP(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        pairs = pairwise(sizes[:-1])
        self.hidden = [nn.Linear(a, b) for a, b in pairs]
        self.out = nn.Linear(sizes[-2], sizes[-1])

    def forward(self, x):
        for layer in self.hidden:
            x = torch.relu(layer(x))
        return self.out(x)


torch.manual_seed(0)
mlp = MLP([6, 12, 12, 2])
print("parameters:", [name for name, _ in mlp.named_parameters()])
optimizer = torch.optim.Adam(mlp.parameters(), lr=1e-3)
start = mlp.hidden[0].weight.tolist()
for epoch in range(3):
    x = torch.randn(10, 6)
    loss = nn.functional.cross_entropy(mlp(x), (x[:, 0] > 0).long())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(epoch, loss.item())
assert mlp.hidden[0].weight.tolist() == start
assert mlp.hidden[1].weight.grad.any()
