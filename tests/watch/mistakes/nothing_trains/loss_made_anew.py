"""The loss is made a new leaf, so that backward() raises no error and reaches nothing.

Expect: cut; net.*; .data; # blame
Expect: nothing trains; *; ;
"""

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(1, 4, 3)
        self.fc = nn.Linear(4, 3)

    def forward(self, x):
        return self.fc(self.conv(x).relu().mean(-1))


def step(net, optimizer, x, y):
    loss = nn.functional.cross_entropy(net(x), y)
    loss = loss.data.clone()  # blame
    loss.requires_grad = True
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


torch.manual_seed(12)
net = Net()
optimizer = torch.optim.RAdam(net.parameters(), lr=1e-2)
for _ in range(4):
    print(step(net, optimizer, torch.randn(6, 1, 9), torch.randint(3, (6,))))
assert all(p.grad is None for p in net.parameters())
assert not optimizer.state
