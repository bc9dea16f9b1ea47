"""Sharpness-aware steps restore the weights after the update instead of before it.

Expect: still; model.*weight; step();
"""

import torch
from torch import nn


class SAM(torch.optim.Optimizer):
    def __init__(self, groups, base, rho=0.05, **options):
        super().__init__(groups, {"rho": rho, **options})
        self.base = base(self.param_groups, **options)

    def step(self, closure):
        for group in self.param_groups:
            for p in group["params"]:
                if group["rho"] and p.grad is not None:
                    self.state[p]["old"] = p.detach().clone()
                    p.data.add_(p.grad / p.grad.norm(), alpha=group["rho"])
        closure()
        self.base.step()
        for group in self.param_groups:
            for p in group["params"]:
                if "old" in self.state[p]:
                    p.data.copy_(self.state[p]["old"])


def main():
    torch.manual_seed(16)
    model = nn.Sequential(nn.Linear(5, 9), nn.Softsign(), nn.Linear(9, 2))
    start = {name: p.tolist() for name, p in model.named_parameters()}
    weights = [p for n, p in model.named_parameters() if n.endswith("weight")]
    biases = [p for n, p in model.named_parameters() if n.endswith("bias")]
    groups = [{"params": weights}, {"params": biases, "rho": 0.0}]
    optimizer = SAM(groups, torch.optim.SGD, lr=0.1, momentum=0.9)
    for step in range(3):
        x = torch.randn(20, 5)
        y = (x[:, 0] * x[:, 1] > 0).long()

        def closure(x=x, y=y):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            return loss.item()

        print(step, closure())
        optimizer.step(closure)
    for name, p in model.named_parameters():
        assert (p.tolist() == start[name]) == name.endswith("weight")


main()
