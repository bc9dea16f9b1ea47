"""A Wasserstein GAN steps its generator every second time, and all of it trains."""

import torch
from torch import autograd, nn


def penalty(critic, real, fake):
    mix = torch.rand(len(real), 1)
    points = (mix * real + (1 - mix) * fake).requires_grad_()
    (slope,) = autograd.grad(critic(points).sum(), points, create_graph=True)
    return (slope.norm(2, 1) - 1).square().mean()


torch.manual_seed(71)
generator = nn.Sequential(nn.Linear(3, 16), nn.Softplus(), nn.Linear(16, 2))
critic = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 1, bias=False))
optimizer_g = torch.optim.Adam(generator.parameters(), lr=1e-4, betas=(0.0, 0.9))
optimizer_c = torch.optim.Adam(critic.parameters(), lr=1e-4, betas=(0.0, 0.9))
start = [p.tolist() for p in (*generator.parameters(), *critic.parameters())]
for i in range(1, 9):
    real = torch.randn(24, 2) * 0.5 + 1
    with torch.no_grad():
        fake = generator(torch.randn(24, 3))
    loss = critic(fake).mean() - critic(real).mean()
    optimizer_c.zero_grad()
    (loss + 10 * penalty(critic, real, fake)).backward()
    optimizer_c.step()
    if i % 2 == 0:
        critic.requires_grad_(False)
        optimizer_g.zero_grad()
        (-critic(generator(torch.randn(24, 3))).mean()).backward()
        optimizer_g.step()
        critic.requires_grad_(True)
        print(i, "distance", -loss.item())
now = [p.tolist() for p in (*generator.parameters(), *critic.parameters())]
assert all(p != q for p, q in zip(start, now, strict=True))
