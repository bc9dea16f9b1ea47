"""An ensemble trains as one with vmap, stacked weights and a skeleton on meta."""

import copy
import hashlib

import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

torch.manual_seed(128)
models = [nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 1)) for _ in range(4)]
# The originals are only a start: their weights are stacked and trained as copies.
params, buffers = stack_module_state(models)
base = copy.deepcopy(models[0]).to("meta")
before = {name: p.detach().clone() for name, p in params.items()}
optimizer = torch.optim.Adam(params.values(), lr=1e-2)


def fmodel(params, buffers, x):
    return functional_call(base, (params, buffers), (x,))


for step in range(6):
    x = torch.randn(16, 3)
    predictions = vmap(fmodel, in_dims=(0, 0, None))(params, buffers, x)
    loss = (predictions.squeeze(-1) - x.norm(dim=1)).pow(2).mean(1).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, repr(loss.item()))

assert not any(torch.equal(p, before[name]) for name, p in params.items())
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in params.values():
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
