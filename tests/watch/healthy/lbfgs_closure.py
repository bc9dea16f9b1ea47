"""L-BFGS fits a small network with a closure that is called several times a step."""

import hashlib

import torch
from torch import nn

torch.manual_seed(3)
x = torch.linspace(-1, 1, 32).unsqueeze(1)
y = torch.sin(3 * x)
net = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))
before = [p.detach().clone() for p in net.parameters()]
optimizer = torch.optim.LBFGS(net.parameters(), lr=0.5, max_iter=5, history_size=4)


def closure():
    optimizer.zero_grad()
    loss = (net(x) - y).pow(2).mean()
    loss.backward()
    return loss


for step in range(5):
    loss = optimizer.step(closure)
    print(step, repr(loss.item()))

assert not any(map(torch.equal, before, net.parameters()))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in net.parameters():
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
