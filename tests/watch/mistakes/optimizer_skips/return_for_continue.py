"""An optimizer of one's own returns at the first parameter that has no gradient.

Expect: still; model.decoder.*; skipped by step();
"""

import torch
from torch import nn
from torch.optim import Optimizer


class SignSGD(Optimizer):
    def __init__(self, params, lr=1e-2):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    return loss
                p.add_(p.grad.sign(), alpha=-group["lr"])
        return loss


class AutoEncoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(12, 6)
        self.middle = nn.Linear(6, 6).requires_grad_(False)
        self.decoder = nn.Sequential(nn.Linear(6, 12), nn.Sigmoid())

    def forward(self, x):
        return self.decoder(self.middle(self.encoder(x)).tanh())


torch.manual_seed(20)
model = AutoEncoder()
optimizer = SignSGD(model.parameters())
for _ in range(3):
    x = torch.rand(9, 12)
    loss = nn.functional.binary_cross_entropy(model(x), x)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print("reconstruction", loss.item())
torch.manual_seed(20)
start = AutoEncoder()
assert torch.equal(start.decoder[0].weight, model.decoder[0].weight)
assert model.decoder[0].weight.grad.any()
assert not torch.equal(start.encoder.weight, model.encoder.weight)
