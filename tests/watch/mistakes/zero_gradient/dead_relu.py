"""The biases of a hidden layer are so low that none of its ReLUs ever fires.

Expect: zero; model.body.*; its gradient is exactly zero;
Expect: zero; model.out.weight; its gradient is exactly zero;
"""

import torch
from torch import nn


class Regression(nn.Module):
    def __init__(self, inputs=3, width=8):
        super().__init__()
        self.body = nn.Linear(inputs, width)
        self.out = nn.Linear(width, 1)
        nn.init.constant_(self.body.bias, -10.0)

    def forward(self, x):
        return self.out(torch.relu(self.body(x)))


torch.manual_seed(0)
model = Regression()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(4):
    x = torch.rand(16, 3)
    loss = (model(x)[:, 0] - x.prod(1)).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item(), model.out.bias.item())
assert not model.body.weight.grad.any()
assert not model.body.bias.grad.any()
assert not model.out.weight.grad.any()
assert model.out.bias.grad.any()
