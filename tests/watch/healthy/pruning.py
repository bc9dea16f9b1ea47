"""A pruned network trains its original weights through masks that stay as they are."""

import hashlib

import torch
from torch import nn
from torch.nn.utils import prune

torch.manual_seed(103)
model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3))
for layer in (model[0], model[2]):
    prune.l1_unstructured(layer, "weight", amount=0.5)
masks = {name: mask.clone() for name, mask in model.named_buffers()}
before = {name: p.detach().clone() for name, p in model.named_parameters()}
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(6):
    x = torch.randn(32, 6)
    loss = nn.functional.cross_entropy(model(x), x[:, :3].argmax(1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, repr(loss.item()))

assert set(before) == {"0.weight_orig", "0.bias", "2.weight_orig", "2.bias"}
assert not any(torch.equal(p, before[name]) for name, p in model.named_parameters())
assert all(torch.equal(mask, masks[name]) for name, mask in model.named_buffers())
digest = hashlib.sha256(torch.get_rng_state().numpy())
for value in model.state_dict().values():
    digest.update(value.numpy().tobytes())
print("digest", digest.hexdigest())
