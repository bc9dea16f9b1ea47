"""DP-SGD clips the gradient of each sample with vmap and writes noisy sums to .grad."""

import hashlib

import torch
from torch import nn
from torch.func import functional_call, grad, vmap

torch.manual_seed(129)
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
max_norm, noise_multiplier = 1.0, 0.1
before = [p.detach().clone() for p in model.parameters()]


def loss_of_one(params, x, y):
    logits = functional_call(model, params, (x.unsqueeze(0),))
    return nn.functional.cross_entropy(logits, y.unsqueeze(0))


for step in range(6):
    x, y = torch.randn(16, 4), torch.randint(3, (16,))
    params = {name: p.detach() for name, p in model.named_parameters()}
    grads = vmap(grad(loss_of_one), in_dims=(None, 0, 0))(params, x, y)
    norms = torch.stack([g.flatten(1).norm(dim=1) for g in grads.values()]).norm(dim=0)
    factor = (max_norm / (norms + 1e-6)).clamp(max=1.0)
    for name, p in model.named_parameters():
        total = torch.einsum("n,n...->...", factor, grads[name])
        noise = noise_multiplier * max_norm * torch.randn_like(total)
        p.grad = (total + noise) / len(x)
    optimizer.step()
    optimizer.zero_grad()
    with torch.no_grad():
        print(step, repr(nn.functional.cross_entropy(model(x), y).item()))

assert not any(map(torch.equal, before, model.parameters()))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in model.parameters():
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
