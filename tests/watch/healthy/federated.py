"""Clients train deep copies of a global model, whose weights become their average."""

import copy
import hashlib

import torch
from torch import nn

torch.manual_seed(156)
global_model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
shards = [torch.randn(24, 4) + shift for shift in (-0.5, 0.0, 0.5)]
first = [p.detach().clone() for p in global_model.parameters()]


def local_update(model, x, steps=2):
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.5)
    for rows in torch.randperm(len(x)).chunk(steps):
        loss = nn.functional.cross_entropy(model(x[rows]), (x[rows, 0] > 0).long())
        model.zero_grad()
        loss.backward()
        optimizer.step()
    return model.state_dict(), loss.item()


for round_number in range(3):
    local = [local_update(copy.deepcopy(global_model), x) for x in shards]
    weights = [w for w, _ in local]
    average = {k: torch.stack([w[k] for w in weights]).mean(0) for k in weights[0]}
    global_model.load_state_dict(average)
    print(round_number, *(repr(loss) for _, loss in local))

# The global model itself never runs: it moves only by averages.
assert not any(map(torch.equal, first, global_model.parameters()))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in global_model.parameters():
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
