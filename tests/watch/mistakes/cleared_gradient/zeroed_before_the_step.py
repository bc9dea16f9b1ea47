"""The gradients are set to zero after the backward, and so before the step.

Expect: still; model.*; its .grad was 0 at step();
Expect: nothing trains; *; ;
"""

import torch
from torch import nn

torch.manual_seed(5)
model = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
start = [p.tolist() for p in model.parameters()]
for _ in range(3):
    loss = model(torch.randn(8, 4)).square().mean()
    loss.backward()
    optimizer.zero_grad(set_to_none=False)
    optimizer.step()
    print(loss.item())
assert [p.tolist() for p in model.parameters()] == start
