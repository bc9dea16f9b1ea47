"""Each stage is added through a layer of zeros, and its turn to train comes later.

Expect row: zero; net.stages.2.*; its gradient is zero as long as;
Expect row: zero; net.gates.3.weight; its gradient is zero as long as;
Expect row: zero; net.stages.3.*; its gradient is zero as long as;
"""

import torch
from torch import nn


class Progressive(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        self.base = nn.Linear(width, width)
        self.stages = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.gates = nn.ModuleList(
            nn.Linear(width, width, bias=False) for _ in range(depth)
        )
        for gate in self.gates:
            nn.init.zeros_(gate.weight)

    def forward(self, x):
        inner = torch.zeros_like(x)
        for stage, gate in zip(self.stages[::-1], self.gates[::-1], strict=True):
            inner = gate(stage(x).tanh() + inner)
        return self.base(x) + inner


torch.manual_seed(2)
net = Progressive(6, 4)
optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
x = torch.randn(40, 6)
y = x.roll(1, dims=1).sin()
for step in range(6):
    loss = (net(x) - y).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    moved = [bool(gate.weight.any()) for gate in net.gates]
    print(step, loss.item(), moved)
    assert moved == [depth <= step for depth in range(4)]
    assert bool(net.stages[2].weight.grad.any()) == (step >= 3)
    assert bool(net.stages[3].weight.grad.any()) == (step >= 4)
