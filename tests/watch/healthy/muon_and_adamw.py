"""Muon orthogonalises the updates of matrices while AdamW takes the rest."""

import hashlib

import torch
from torch import nn


@torch.no_grad()
def newton_schulz(g, steps=5):
    a, b, c = 3.4445, -4.7750, 2.0315
    x = g.bfloat16()
    x = x / (x.norm() + 1e-7)
    transposed = x.size(0) > x.size(1)
    x = x.T if transposed else x
    for _ in range(steps):
        m = x @ x.T
        x = a * x + (b * m + c * m @ m) @ x
    return x.T if transposed else x


class Muon(torch.optim.Optimizer):
    def __init__(self, params, lr=0.02, momentum=0.95):
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if "momentum_buffer" not in state:
                    state["momentum_buffer"] = torch.zeros_like(p)
                buffer = state["momentum_buffer"]
                buffer.lerp_(p.grad, 1 - group["momentum"])
                update = newton_schulz(p.grad.lerp(buffer, group["momentum"]))
                update = update * max(1, p.size(0) / p.size(1)) ** 0.5
                p.add_(update.type_as(p), alpha=-group["lr"])


torch.manual_seed(94)
model = nn.Sequential(
    nn.Embedding(11, 8),
    nn.Linear(8, 16),
    nn.ReLU(),
    nn.Linear(16, 16),
    nn.Linear(16, 11),
)
hidden = [model[1].weight, model[3].weight]
others = [p for p in model.parameters() if all(p is not h for h in hidden)]
optimizers = [Muon(hidden), torch.optim.AdamW(others, lr=3e-3, betas=(0.9, 0.95))]
before = [p.detach().clone() for p in model.parameters()]
for step in range(6):
    tokens = torch.randint(11, (32,))
    loss = nn.functional.cross_entropy(model(tokens), (tokens * 3 + 1) % 11)
    loss.backward()
    for optimizer in optimizers:
        optimizer.step()
    model.zero_grad(set_to_none=True)
    print(step, repr(loss.item()))

assert not any(map(torch.equal, before, model.parameters()))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in model.parameters():
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
