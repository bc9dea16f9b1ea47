"""Forward and loss are one compiled function with a graph break in the middle."""

import hashlib

import torch
from torch import nn

torch.manual_seed(68)
encoder = nn.Linear(5, 12)
decoder = nn.Linear(12, 5)
params = [*encoder.parameters(), *decoder.parameters()]
optimizer = torch.optim.Adam(params, lr=1e-2)
before = [p.detach().clone() for p in params]
norms = []


@torch.compile(backend="aot_eager")
def compute_loss(x):
    hidden = torch.tanh(encoder(x))
    torch._dynamo.graph_break()
    return (decoder(hidden) - x).pow(2).mean(), hidden.norm()


for step in range(5):
    loss, norm = compute_loss(torch.randn(16, 5))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    norms.append(norm.item())
    print(step, repr(loss.item()), repr(norms[-1]))

assert not any(map(torch.equal, before, params))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in params:
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
