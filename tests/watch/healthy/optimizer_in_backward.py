"""Each parameter has an optimizer that steps in a hook as soon as it has a gradient."""

import hashlib

import torch
from torch import nn

torch.manual_seed(95)
model = nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 12), nn.Linear(12, 1))
optimizer_dict = {p: torch.optim.Adam([p], lr=1e-2) for p in model.parameters()}


def optimizer_hook(parameter):
    optimizer_dict[parameter].step()
    optimizer_dict[parameter].zero_grad()


for p in model.parameters():
    p.register_post_accumulate_grad_hook(optimizer_hook)

before = [p.detach().clone() for p in model.parameters()]
for step in range(6):
    x = torch.randn(16, 6)
    loss = (model(x).squeeze(1) - x.square().sum(1)).square().mean()
    loss.backward()
    assert all(p.grad is None for p in model.parameters())
    print(step, repr(loss.item()))

assert not any(map(torch.equal, before, model.parameters()))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in model.parameters():
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
