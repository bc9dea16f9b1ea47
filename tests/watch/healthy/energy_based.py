"""Langevin steps on frozen weights draw samples for an energy network that trains."""

import hashlib

import torch
from torch import nn

torch.manual_seed(162)


class Energy(nn.Module):
    def __init__(self):
        super().__init__()
        # No bias at the end: the loss is a difference of energies.
        self.net = nn.Sequential(
            nn.Linear(2, 16), nn.SiLU(), nn.Linear(16, 1, bias=False)
        )

    def forward(self, x):
        return self.net(x).squeeze(1)


class Sampler:
    def __init__(self, model, size=64):
        self.model = model
        self.examples = torch.rand(size, 2) * 2 - 1

    def sample(self, n, steps=4):
        rows = torch.randint(len(self.examples), (n,))
        x = self.examples[rows].requires_grad_(True)
        self.model.eval()
        for p in self.model.parameters():
            p.requires_grad = False
        with torch.enable_grad():
            for _ in range(steps):
                x.data.add_(torch.randn_like(x) * 0.05)
                (-self.model(x)).sum().backward()
                x.data.add_(x.grad.data.clamp(-0.1, 0.1), alpha=0.5)
                x.grad.zero_()
        for p in self.model.parameters():
            p.requires_grad = True
        self.model.train()
        self.examples[rows] = x.detach()
        return x.detach()


model = Energy()
sampler = Sampler(model)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2, betas=(0.0, 0.999))
before = [p.detach().clone() for p in model.parameters()]
for step in range(6):
    real = torch.randn(16, 2) * 0.2 + 0.5
    fake = sampler.sample(16)
    e_real, e_fake = model(torch.cat([real, fake])).chunk(2)
    loss = (e_real - e_fake).mean() + 0.1 * (e_real.pow(2) + e_fake.pow(2)).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, repr(loss.item()))

assert not any(map(torch.equal, before, model.parameters()))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in [*model.parameters(), sampler.examples]:
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
