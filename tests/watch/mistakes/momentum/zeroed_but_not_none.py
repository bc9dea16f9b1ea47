"""Momentum goes on moving a block that was frozen after a step: its gradient is 0.

Expect: moves; net.stem.*; momentum;
"""

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv1d(2, 4, 3), nn.ReLU())
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        return self.head(self.stem(x).mean(2))


torch.manual_seed(1)
net = Net()
optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
for step in range(5):
    if step == 1:
        net.stem.requires_grad_(False)
        frozen = net.stem[0].weight.clone()
    optimizer.zero_grad(set_to_none=False)
    x, y = torch.randn(8, 2, 7), torch.randint(3, (8,))
    loss = nn.functional.cross_entropy(net(x), y)
    loss.backward()
    optimizer.step()
    print(step, loss.item())
assert not net.stem[0].weight.grad.any()
assert not torch.equal(net.stem[0].weight, frozen)
