"""Non-reentrant checkpoints recompute frozen and trainable blocks alike."""

import functools
import hashlib

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

torch.manual_seed(70)


class Block(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.linear = nn.Linear(dim, dim)

    def forward(self, x, *, scale):
        return x + scale * torch.relu(self.linear(self.norm(x)))


blocks = nn.ModuleList(Block(8) for _ in range(3))
blocks[0].requires_grad_(False)
head = nn.Linear(8, 2)
run = functools.partial(checkpoint, use_reentrant=False)
params = [p for p in [*blocks.parameters(), *head.parameters()] if p.requires_grad]
optimizer = torch.optim.SGD(params, lr=0.1)
before = [p.detach().clone() for p in params]
frozen = {name: p.clone() for name, p in blocks[0].named_parameters()}
for step in range(5):
    x = torch.randn(16, 8)
    hidden = x
    for block in blocks:
        hidden = run(block, hidden, scale=0.5)
    loss = nn.functional.cross_entropy(head(hidden), (x[:, 0] > 0).long())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, repr(loss.item()))

assert not any(map(torch.equal, before, params))
assert all(torch.equal(p, frozen[n]) for n, p in blocks[0].named_parameters())
digest = hashlib.sha256(torch.get_rng_state().numpy())
for value in [*blocks.state_dict().values(), *head.state_dict().values()]:
    digest.update(value.numpy().tobytes())
print("digest", digest.hexdigest())
