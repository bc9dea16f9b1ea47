"""An optimizer of its own keeps an average of the weights and evaluates with it."""

import hashlib

import torch
from torch import nn


class EMAOptimizer(torch.optim.AdamW):
    """Updates the average inside of step(), as some diffusion code does."""

    def __init__(self, params, decay=0.9, **kwargs):
        super().__init__(params, **kwargs)
        self.decay = decay
        self.ema = [p.detach().clone() for g in self.param_groups for p in g["params"]]

    def step(self, closure=None):
        result = super().step(closure)
        params = [p for g in self.param_groups for p in g["params"]]
        with torch.no_grad():
            torch._foreach_lerp_(self.ema, params, 1 - self.decay)
        return result

    def swap(self):
        params = [p for g in self.param_groups for p in g["params"]]
        for p, average in zip(params, self.ema, strict=True):
            p.data, average.data = average.data, p.data


torch.manual_seed(46)
model = nn.Sequential(nn.Linear(3, 16), nn.SiLU(), nn.Linear(16, 3))
optimizer = EMAOptimizer(model.parameters(), lr=3e-3)
before = [p.detach().clone() for p in model.parameters()]
for step in range(8):
    x = torch.randn(16, 3)
    loss = (model(x + torch.randn_like(x)) - x).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, repr(loss.item()))
    if step % 2 == 1:
        optimizer.swap()
        with torch.no_grad():
            print("average", repr(model(x).sum().item()))
        optimizer.swap()

assert not any(map(torch.equal, before, model.parameters()))
assert not any(map(torch.equal, before, optimizer.ema))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for value in [*model.state_dict().values(), *optimizer.ema]:
    digest.update(value.numpy().tobytes())
print("digest", digest.hexdigest())
