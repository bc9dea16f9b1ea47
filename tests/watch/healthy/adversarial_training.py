"""Adversarial examples come from gradients of the input before each training step."""

import hashlib

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(152)
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
before = [p.detach().clone() for p in model.parameters()]


def pgd(model, x, y, eps=0.3, alpha=0.1, steps=3):
    model.eval()
    delta = torch.zeros_like(x).uniform_(-eps, eps).requires_grad_(True)
    for _ in range(steps):
        loss = F.cross_entropy(model(x + delta), y)
        loss.backward()  # fills the gradients of the model, too: zero_grad comes later
        delta.data = (delta + alpha * delta.grad.sign()).clamp(-eps, eps)
        delta.grad.zero_()
    model.train()
    return (x + delta).detach()


for step in range(6):
    x = torch.randn(32, 8)
    y = (x[:, 0] + x[:, 1] > 0).long()
    x_adv = pgd(model, x, y)
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x_adv), y)
    loss.backward()
    optimizer.step()
    print(step, repr(loss.item()))

assert not any(map(torch.equal, before, model.parameters()))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in model.parameters():
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
