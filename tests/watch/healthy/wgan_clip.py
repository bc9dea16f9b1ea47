"""A WGAN trains its critic five times per generator step and clips it through .data."""

import hashlib

import torch
from torch import nn

torch.manual_seed(22)
n_critic, clip_value = 5, 0.03

generator = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 2))
# No bias in the last layer: it shifts both means alike and gets no gradient.
critic = nn.Sequential(
    nn.Linear(2, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1, bias=False)
)
optimizer_g = torch.optim.RMSprop(generator.parameters(), lr=5e-4)
optimizer_c = torch.optim.RMSprop(critic.parameters(), lr=5e-4)
weights = [*generator.parameters(), *critic.parameters()]
before = [p.detach().clone() for p in weights]

for i in range(25):
    real = torch.randn(16, 2) + 2
    z = torch.randn(16, 2)
    optimizer_c.zero_grad()
    fake = generator(z).detach()
    loss_c = critic(fake).mean() - critic(real).mean()
    loss_c.backward()
    optimizer_c.step()
    for p in critic.parameters():
        p.data.clamp_(-clip_value, clip_value)

    if i % n_critic == n_critic - 1:
        optimizer_g.zero_grad()
        loss_g = -critic(generator(z)).mean()
        loss_g.backward()
        optimizer_g.step()
        print(i, repr(loss_c.item()), repr(loss_g.item()))

assert not any(map(torch.equal, before, weights))
assert all(p.abs().max() <= clip_value for p in critic.parameters())
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in weights:
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
