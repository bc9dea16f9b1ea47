"""The losses are summed by torch.tensor(), which makes a new leaf of their values.

Expect: cut; model.*; torch.tensor(); # blame
Expect: nothing trains; *; ;
"""

import warnings

import torch
from torch import nn

warnings.filterwarnings("ignore", message="Converting a tensor with requires_grad")
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
start = [p.tolist() for p in model.parameters()]
for epoch in range(3):
    x = torch.randn(12, 4)
    first, second = model(x).unbind(1)
    losses = [(first - x[:, 0]).square().mean(), (second + x[:, 1]).abs().mean()]
    loss = torch.tensor(losses, requires_grad=True).sum()  # blame
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(epoch, loss.item())
assert [p.tolist() for p in model.parameters()] == start
assert all(p.grad is None for p in model.parameters())
