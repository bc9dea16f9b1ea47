"""An optimizer of one's own decays each weight before it asks for a gradient.

Expect: moves; base.*weight; weight decay;
Expect: moves; base.linear?.bias; weight decay;
"""

import torch
from torch import nn


class LionW(torch.optim.Optimizer):
    def __init__(self, params, lr=1e-3, beta=0.9, weight_decay=0.1):
        defaults = {"lr": lr, "beta": beta, "weight_decay": weight_decay}
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                p.mul_(1 - group["lr"] * group["weight_decay"])
                if p.grad is None:
                    continue
                state = self.state[p]
                if not state:
                    state["exp_avg"] = torch.zeros_like(p)
                average = state["exp_avg"]
                p.sub_(group["lr"] * average.lerp(p.grad, 1 - group["beta"]).sign())
                average.lerp_(p.grad, 1 - group["beta"])


def main():
    torch.manual_seed(48)
    base = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
    base.requires_grad_(False)
    probe = nn.Linear(8, 3)
    frozen = [p.clone() for p in base.parameters() if p.any()]
    optimizer = LionW([*base.parameters(), *probe.parameters()])
    for step in range(4):
        x, y = torch.randn(6, 4, 8), torch.randint(3, (6,))
        loss = nn.functional.cross_entropy(probe(base(x)[:, 0]), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(step, loss.item())
    now = [p for p in base.parameters() if p.any()]
    assert not any(torch.equal(p, q) for p, q in zip(now, frozen, strict=True))
    assert all(p.grad is None for p in base.parameters())


if __name__ == "__main__":
    main()
