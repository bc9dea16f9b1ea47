"""The flag is set on a module, which only gets an attribute of that name.

Expect: moves; net.body.*; On a Sequential, call requires_grad_(False)
Expect row: trains; net.head.weight; ;
"""

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8))
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        return self.head(self.body(x).relu())


torch.manual_seed(75)
net = Net()
for name, child in net.named_children():
    if name != "head":
        child.requires_grad = False
optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
for _ in range(3):
    loss = nn.functional.cross_entropy(net(torch.randn(9, 4)), torch.randint(2, (9,)))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
