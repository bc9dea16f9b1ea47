"""A network solves a differential equation through gradients of its own output."""

import hashlib

import torch
from torch import nn

torch.manual_seed(153)


class PINN(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 1)
        )
        self.log_k = nn.Parameter(torch.tensor(0.0))  # the unknown constant

    def forward(self, t):
        return self.net(t)

    def residual(self, t):
        u = self(t)
        ones = torch.ones_like(u)
        (du,) = torch.autograd.grad(u, t, ones, create_graph=True)
        (ddu,) = torch.autograd.grad(du, t, ones, create_graph=True)
        return ddu + self.log_k.exp() * u


model = PINN()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
before = {name: p.detach().clone() for name, p in model.named_parameters()}
t_data = torch.linspace(0, 2, 8)[:, None]
u_data = torch.cos(1.5 * t_data)
for epoch in range(6):
    t = (torch.rand(32, 1) * 2).requires_grad_(True)
    loss_physics = model.residual(t).pow(2).mean()
    loss_data = (model(t_data) - u_data).pow(2).mean()
    loss = loss_data + 0.01 * loss_physics
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(epoch, repr(loss_data.item()), repr(loss_physics.item()))

for name, p in model.named_parameters():
    assert not torch.equal(p, before[name]), name
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in model.parameters():
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
