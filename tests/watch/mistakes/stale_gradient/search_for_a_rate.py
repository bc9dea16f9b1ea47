"""The search for a learning rate ends with gradients, and the first step applies them.

Expect: moves; model.0.*; its stale .grad is applied by step();
"""

import torch
from torch import nn
from utils import find_lr

torch.manual_seed(11)
model = nn.Sequential(nn.Linear(9, 6), nn.Softsign(), nn.Linear(6, 1))


def loss_of(model):
    x = torch.randn(32, 9)
    return (model(x)[:, 0] - x.sum(1)).square().mean()


rate = find_lr(model, loss_of)
print("rate", rate)
for parameter in model[0].parameters():
    parameter.requires_grad = False
frozen = model[0].bias.clone()
optimizer = torch.optim.SGD(model.parameters(), lr=rate)
moves = []
for _ in range(3):
    loss = loss_of(model)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    print(loss.item())
    moves.append(not torch.equal(model[0].bias, frozen))
    frozen = model[0].bias.clone()
assert moves == [True, False, False]
