"""A probe of sensitivities leaves gradients on layers that are frozen after it.

Expect: moves; model.0.*; its stale .grad is applied by step();
Expect: moves; model.2.*; its stale .grad is applied by step();
"""

import torch
from torch import nn


def sensitivity(model, x, y):
    nn.functional.cross_entropy(model(x), y).backward()
    return {
        name: (parameter * parameter.grad).abs().sum().item()
        for name, parameter in model.named_parameters()
    }


torch.manual_seed(0)
model = nn.Sequential(
    nn.Linear(4, 12), nn.Tanh(), nn.Linear(12, 12), nn.Tanh(), nn.Linear(12, 3)
)
head = model[-1]
print(sensitivity(model, torch.randn(64, 4), torch.randint(3, (64,))))
for layer in model[:-1]:
    layer.requires_grad_(False)
frozen = model[0].weight.clone()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(4):
    x = torch.randn(16, 4)
    loss = nn.functional.cross_entropy(model(x), x[:, :3].argmax(1))
    head.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
assert not model[0].weight.requires_grad
assert not torch.equal(model[0].weight, frozen)
