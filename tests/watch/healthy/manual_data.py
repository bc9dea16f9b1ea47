"""Bare tensors are updated by hand through .data, with momentum in a dict."""

import hashlib

import torch

torch.manual_seed(53)
x = torch.randn(50, 4)
y = (x @ torch.tensor([1.0, -2.0, 0.5, 3.0]) + 0.7).unsqueeze(1)

w1 = torch.randn(4, 6, requires_grad=True)
b1 = torch.zeros(6, requires_grad=True)
w2 = torch.randn(6, 1, requires_grad=True)
b2 = torch.zeros(1, requires_grad=True)
params = [w1, b1, w2, b2]
velocity = {p: torch.zeros_like(p) for p in params}
before = [p.detach().clone() for p in params]

for epoch in range(8):
    hidden = (x @ w1 + b1).clamp(min=0)
    loss = (hidden @ w2 + b2 - y).pow(2).mean()
    loss.backward()
    for p in params:
        velocity[p].mul_(0.9).add_(p.grad.data)
        p.data.sub_(0.01 * velocity[p])
        p.grad.data.zero_()
    print(epoch, repr(loss.item()))

assert not any(map(torch.equal, before, params))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in params:
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
