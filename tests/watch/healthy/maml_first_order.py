"""First-order MAML adapts a deep copy and copies the gradients of that copy by hand."""

import copy
import hashlib

import torch
from torch import nn

torch.manual_seed(42)
model = nn.Sequential(nn.Linear(2, 12), nn.Tanh(), nn.Linear(12, 1))
outer = torch.optim.Adam(model.parameters(), lr=5e-3)
before = [p.detach().clone() for p in model.parameters()]

for iteration in range(5):
    outer.zero_grad()
    total = 0.0
    for _ in range(3):
        direction = torch.randn(2)
        x = torch.randn(16, 2)
        y = (x @ direction).unsqueeze(1)
        learner = copy.deepcopy(model)
        inner = torch.optim.SGD(learner.parameters(), lr=0.05)
        for _ in range(2):
            loss = nn.functional.mse_loss(learner(x[:8]), y[:8])
            inner.zero_grad()
            loss.backward()
            inner.step()
        query_loss = nn.functional.mse_loss(learner(x[8:]), y[8:])
        learner.zero_grad()
        query_loss.backward()
        for p, q in zip(model.parameters(), learner.parameters(), strict=True):
            p.grad = q.grad.clone() if p.grad is None else p.grad + q.grad
        total += query_loss.item() / 3
    outer.step()
    print(f"iteration {iteration} query loss {total!r}")

assert not any(map(torch.equal, before, model.parameters()))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in model.parameters():
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
