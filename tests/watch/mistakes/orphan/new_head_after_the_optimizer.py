"""The head is replaced after the optimizer was built, which keeps the old one.

Expect: orphan; *; held by the optimizer, not by the model;
Expect: not in optimizer; model.fc.*; gets a gradient that nobody applies;
"""

import torch
from torch import nn


class Pretrained(nn.Module):
    def __init__(self, classes=10):
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3)
        self.fc = nn.Linear(6, classes)

    def forward(self, x):
        return self.fc(torch.relu(self.conv(x)).mean((2, 3)))


torch.manual_seed(0)
model = Pretrained()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
model.fc = nn.Linear(model.fc.in_features, 2)
weight = model.fc.weight.tolist()
for epoch in range(3):
    x, y = torch.randn(5, 3, 6, 6), torch.randint(2, (5,))
    loss = nn.functional.cross_entropy(model(x), y)
    model.zero_grad()
    loss.backward()
    optimizer.step()
    print(epoch, loss.item())
held = {id(p) for group in optimizer.param_groups for p in group["params"]}
assert model.fc.weight.tolist() == weight
assert model.fc.weight.grad.any()
assert id(model.fc.weight) not in held
assert len(held - {id(p) for p in model.parameters()}) == 2
