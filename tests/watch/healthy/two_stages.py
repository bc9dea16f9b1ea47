"""Pretraining with a decoder ends, and a new optimizer trains encoder and head."""

import hashlib

import torch
from torch import nn

torch.manual_seed(158)


def pretrain(encoder, steps):
    decoder = nn.Linear(6, 8)
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], 1e-2)
    for step in range(steps):
        x = torch.randn(16, 8)
        masked = x * (torch.rand_like(x) > 0.3)
        loss = (decoder(encoder(masked)) - x).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print("pretrain", step, repr(loss.item()))


def finetune(encoder, steps):
    head = nn.Linear(6, 2)
    optimizer = torch.optim.SGD(
        [
            {"params": encoder.parameters(), "lr": 0.01},
            {"params": head.parameters(), "lr": 0.1},
        ]
    )
    before = [p.detach().clone() for p in [*encoder.parameters(), *head.parameters()]]
    for step in range(steps):
        x = torch.randn(16, 8)
        loss = nn.functional.cross_entropy(head(encoder(x)), (x[:, 0] > 0).long())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print("finetune", step, repr(loss.item()))
    after = [*encoder.parameters(), *head.parameters()]
    assert not any(map(torch.equal, before, after))
    return head


encoder = nn.Sequential(nn.Linear(8, 12), nn.ReLU(), nn.Linear(12, 6))
start = [p.detach().clone() for p in encoder.parameters()]
pretrain(encoder, 4)
assert not any(map(torch.equal, start, encoder.parameters()))
head = finetune(encoder, 4)

digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in [*encoder.parameters(), *head.parameters()]:
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
