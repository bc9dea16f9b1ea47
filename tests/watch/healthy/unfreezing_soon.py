"""After two iterations the backbone is unfrozen and joins as a group of its own."""

import hashlib

import torch
from torch import nn

torch.manual_seed(112)
backbone = nn.Sequential(nn.Linear(5, 10), nn.Tanh())
head = nn.Linear(10, 2)
model = nn.Sequential(backbone, head)
for p in backbone.parameters():
    p.requires_grad = False
optimizer = torch.optim.SGD(head.parameters(), lr=0.1, momentum=0.9)
before = {name: p.detach().clone() for name, p in model.named_parameters()}
for step in range(6):
    if step == 2:
        backbone.requires_grad_(True)
        optimizer.add_param_group({"params": backbone.parameters(), "lr": 0.01})
    x = torch.randn(16, 5)
    loss = nn.functional.cross_entropy(model(x), (x.sum(1) > 0).long())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, repr(loss.item()))
    still = {
        name for name, p in model.named_parameters() if torch.equal(p, before[name])
    }
    assert still == (set() if step >= 2 else {"0.0.weight", "0.0.bias"})

digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in model.parameters():
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
