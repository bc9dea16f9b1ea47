"""Lookahead wraps AdamW: slow weights follow the fast ones at every second step."""

import hashlib
from collections import defaultdict

import torch
from torch import nn


class Lookahead(torch.optim.Optimizer):
    def __init__(self, optimizer, k=2, alpha=0.5):
        self.optimizer, self.k, self.alpha = optimizer, k, alpha
        self.param_groups = optimizer.param_groups
        self.state = defaultdict(dict)
        self.defaults = optimizer.defaults
        self.slow = {
            p: p.detach().clone() for g in self.param_groups for p in g["params"]
        }
        self.count = 0

    def zero_grad(self, set_to_none=True):
        self.optimizer.zero_grad(set_to_none)

    @torch.no_grad()
    def step(self, closure=None):
        loss = self.optimizer.step(closure)
        self.count += 1
        if self.count % self.k == 0:
            for fast, slow in self.slow.items():
                slow += self.alpha * (fast - slow)  # noqa: PLW2901
                fast.data.copy_(slow)
        return loss


torch.manual_seed(144)
model = nn.Sequential(nn.Linear(5, 10), nn.ReLU(), nn.Linear(10, 3))
optimizer = Lookahead(torch.optim.AdamW(model.parameters(), lr=1e-2))
before = [p.detach().clone() for p in model.parameters()]
for step in range(7):
    x = torch.randn(16, 5)
    loss = nn.functional.cross_entropy(model(x), x[:, :3].argmax(1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, repr(loss.item()))

assert not any(map(torch.equal, before, model.parameters()))
assert not any(map(torch.equal, before, optimizer.slow.values()))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in [*model.parameters(), *optimizer.slow.values()]:
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
