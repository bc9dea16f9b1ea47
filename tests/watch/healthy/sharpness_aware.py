"""SAM climbs to the worst weights nearby, takes the gradient there and comes back."""

import hashlib

import torch
from torch import nn


class SAM(torch.optim.Optimizer):
    def __init__(self, params, base_optimizer, rho=0.05, **kwargs):
        super().__init__(params, {"rho": rho, **kwargs})
        self.base_optimizer = base_optimizer(self.param_groups, **kwargs)
        self.param_groups = self.base_optimizer.param_groups

    @torch.no_grad()
    def first_step(self):
        norm = torch.stack(
            [p.grad.norm() for g in self.param_groups for p in g["params"]]
        ).norm()
        for group in self.param_groups:
            scale = group["rho"] / (norm + 1e-12)
            for p in group["params"]:
                self.state[p]["old_p"] = p.data.clone()
                p.add_(p.grad * scale)
        self.zero_grad()

    @torch.no_grad()
    def second_step(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.data = self.state[p]["old_p"]
        self.base_optimizer.step()
        self.zero_grad()


torch.manual_seed(5)
model = nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 3))
before = [p.detach().clone() for p in model.parameters()]
optimizer = SAM(model.parameters(), torch.optim.SGD, lr=0.1, momentum=0.9)
inputs, targets = torch.randn(30, 6), torch.randint(3, (30,))
for step in range(6):
    loss = nn.functional.cross_entropy(model(inputs), targets)
    loss.backward()
    optimizer.first_step()
    nn.functional.cross_entropy(model(inputs), targets).backward()
    optimizer.second_step()
    print(step, repr(loss.item()))

assert not any(map(torch.equal, before, model.parameters()))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in model.parameters():
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
