"""Tasks with heads and optimizers of their own take turns on a shared encoder."""

import hashlib
import itertools

import torch
from torch import nn

torch.manual_seed(90)
encoder = nn.Sequential(nn.Linear(6, 16), nn.ReLU())
heads = {"classify": nn.Linear(16, 3), "regress": nn.Linear(16, 1)}
optimizers = {
    task: torch.optim.Adam([*encoder.parameters(), *head.parameters()], lr=3e-3)
    for task, head in heads.items()
}
weights = [p for m in (encoder, *heads.values()) for p in m.parameters()]
before = [p.detach().clone() for p in weights]
for step, task in zip(range(10), itertools.cycle(heads), strict=False):
    x = torch.randn(16, 6)
    out = heads[task](encoder(x))
    if task == "classify":
        loss = nn.functional.cross_entropy(out, x[:, :3].argmax(1))
    else:
        loss = nn.functional.mse_loss(out.squeeze(1), x.mean(1))
    optimizers[task].zero_grad()
    loss.backward()
    optimizers[task].step()
    print(step, task, repr(loss.item()))

assert not any(map(torch.equal, before, weights))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in weights:
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
