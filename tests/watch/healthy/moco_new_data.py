"""MoCo as published: the key encoder, with batch norms, gets new data each time."""

import copy
import hashlib

import torch
from torch import nn

torch.manual_seed(61)
query = nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 4))
key = copy.deepcopy(query)
for parameter in key.parameters():
    parameter.requires_grad = False
queue = nn.functional.normalize(torch.randn(4, 32), dim=0)
optimizer = torch.optim.SGD(query.parameters(), lr=0.1, momentum=0.9)
before = [p.detach().clone() for p in (*query.parameters(), *key.parameters())]

for step in range(5):
    views = torch.randn(8, 6), torch.randn(8, 6)
    with torch.no_grad():
        for mine, theirs in zip(query.parameters(), key.parameters(), strict=True):
            theirs.data = theirs.data * 0.9 + mine.data * 0.1
        keys = nn.functional.normalize(key(views[1]))
    queries = nn.functional.normalize(query(views[0]))
    positive = (queries * keys).sum(1, keepdim=True)
    logits = torch.cat([positive, queries @ queue], 1) / 0.2
    loss = nn.functional.cross_entropy(logits, torch.zeros(8, dtype=torch.long))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    queue = torch.cat([queue[:, 8:], keys.T], 1)
    print(step, repr(loss.item()))

after = [*query.parameters(), *key.parameters()]
assert not any(map(torch.equal, before, after))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for value in [*query.state_dict().values(), *key.state_dict().values()]:
    digest.update(value.numpy().tobytes())
print("digest", digest.hexdigest())
