"""An own LARS should leave the scaling out for vectors, and leaves out their update.

Expect: still; net.*bias; skipped by step();
Expect: still; net.1.weight; skipped by step();
"""

import torch
from torch import nn


class LARS(torch.optim.Optimizer):
    def __init__(self, params, lr, momentum=0.9, eta=1e-3):
        defaults = {"lr": lr, "momentum": momentum, "eta": eta}
        super().__init__(params, defaults)

    def step(self):
        with torch.no_grad():
            for group in self.param_groups:
                self._update(group)

    def _update(self, group):
        for p in group["params"]:
            if p.grad is None or p.ndim == 1:
                continue
            ratio = group["eta"] * p.norm() / p.grad.norm().clamp_min(1e-8)
            buffer = self.state[p].setdefault("mu", torch.zeros_like(p))
            buffer.mul_(group["momentum"]).add_(ratio * p.grad)
            p.sub_(group["lr"] * buffer)


def build():
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, bias=False),
        nn.GroupNorm(2, 4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(64, 10),
    )


net = build()
optimizer = LARS(net.parameters(), lr=0.5)
for step in range(4):
    x, y = torch.randn(8, 3, 6, 6), torch.randint(10, (8,))
    loss = nn.functional.nll_loss(net(x).log_softmax(1), y)
    net.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, float(loss))
for (name, now), start in zip(
    net.named_parameters(), build().parameters(), strict=True
):
    assert torch.equal(now, start) == (now.ndim == 1), name
    assert now.grad.any(), name
