"""PCGrad projects conflicting gradients of two tasks and writes their sum to .grad."""

import hashlib

import torch
from torch import nn

torch.manual_seed(154)
shared = nn.Sequential(nn.Linear(5, 12), nn.ReLU())
heads = nn.ModuleList([nn.Linear(12, 1), nn.Linear(12, 1)])
params = [*shared.parameters(), *heads.parameters()]
optimizer = torch.optim.SGD(params, lr=0.05)
before = [p.detach().clone() for p in params]


def flat(grads):
    return torch.cat([g.reshape(-1) for g in grads])


for step in range(6):
    x = torch.randn(32, 5)
    hidden = shared(x)
    losses = [
        (heads[0](hidden).squeeze(1) - x.sum(1)).pow(2).mean(),
        (heads[1](hidden).squeeze(1) + x.sum(1)).pow(2).mean(),
    ]
    grads = [
        torch.autograd.grad(loss, params, retain_graph=True, materialize_grads=True)
        for loss in losses
    ]
    g1, g2 = map(flat, grads)
    dot = g1 @ g2
    if dot < 0:
        g1, g2 = g1 - dot / g2.norm() ** 2 * g2, g2 - dot / g1.norm() ** 2 * g1
    pieces = (g1 + g2).split([p.numel() for p in params])
    for p, piece in zip(params, pieces, strict=True):
        p.grad = piece.view_as(p).clone()
    optimizer.step()
    print(step, *(repr(loss.item()) for loss in losses))

assert not any(map(torch.equal, before, params))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in params:
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
