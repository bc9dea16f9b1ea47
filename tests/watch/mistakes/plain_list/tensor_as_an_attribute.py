"""A slope is a tensor that requires grad, but no parameter, and no optimizer has it.

Expect: unregistered; *slope; ;
"""

import torch
from torch import nn


class Swish(nn.Module):
    def __init__(self):
        super().__init__()
        self.slope = torch.ones(1, requires_grad=True)

    def forward(self, x):
        return x * torch.sigmoid(self.slope * x)


torch.manual_seed(83)
model = nn.Sequential(nn.Linear(3, 10), Swish(), nn.Linear(10, 1))
optimizer = torch.optim.RAdam(model.parameters(), lr=0.01)
for _ in range(3):
    x = torch.randn(20, 3)
    loss = nn.functional.mse_loss(model(x), x.amax(1, keepdim=True))
    model.zero_grad()
    loss.backward()
    optimizer.step()
    print(loss.item())
assert model[1].slope.item() == 1
assert model[1].slope.grad.any()
