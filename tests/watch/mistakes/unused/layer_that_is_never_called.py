"""The forward of a network forgets one of its layers.

Expect: unused; model.second.*; never read in the forward;
"""

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(10, 20)
        self.second = nn.Linear(20, 20)
        self.third = nn.Linear(20, 2)

    def forward(self, x):
        x = torch.relu(self.first(x))
        return self.third(x)


torch.manual_seed(0)
model = Net()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-4)
for i in range(3):
    inputs, labels = torch.randn(4, 10), torch.randint(0, 2, (4,))
    optimizer.zero_grad()
    loss = nn.CrossEntropyLoss()(model(inputs), labels)
    loss.backward()
    optimizer.step()
    print(i, loss.item())
assert model.second.weight.grad is None
assert model.second.bias not in optimizer.state
assert model.third.weight in optimizer.state
