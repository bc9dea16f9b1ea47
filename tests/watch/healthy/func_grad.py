"""torch.func.grad_and_value and functional_call train a dict of weights by hand."""

import hashlib

import torch
from torch import nn
from torch.func import functional_call, grad_and_value

torch.manual_seed(127)
net = nn.Sequential(nn.Linear(4, 12), nn.Tanh(), nn.Linear(12, 1))
params = {name: p.detach() for name, p in net.named_parameters()}
first = {name: p.clone() for name, p in params.items()}


def loss_fn(params, x, y):
    return (functional_call(net, params, (x,)).squeeze(1) - y).pow(2).mean()


for step in range(6):
    x = torch.randn(32, 4)
    grads, loss = grad_and_value(loss_fn)(params, x, x.sum(1))
    params = {name: p - 0.1 * grads[name] for name, p in params.items()}
    print(step, repr(loss.item()))
net.load_state_dict(params)

for name, p in net.named_parameters():
    assert not torch.equal(p, first[name]), name
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in net.parameters():
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
