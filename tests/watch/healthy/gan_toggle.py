"""A GAN freezes its discriminator while the generator is updated, and thaws it then."""

import hashlib

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(21)


def set_requires_grad(net, flag):
    for p in net.parameters():
        p.requires_grad = flag


class GAN:
    def __init__(self):
        self.G = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 2))
        self.D = nn.Sequential(nn.Linear(2, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
        self.opt_G = torch.optim.Adam(self.G.parameters(), lr=1e-3)
        self.opt_D = torch.optim.Adam(self.D.parameters(), lr=1e-3)

    def optimize_parameters(self, real):
        fake = self.G(torch.randn(len(real), 3))

        set_requires_grad(self.D, flag=False)
        self.opt_G.zero_grad()
        loss_G = F.softplus(-self.D(fake)).mean()
        loss_G.backward()
        self.opt_G.step()

        set_requires_grad(self.D, flag=True)
        self.opt_D.zero_grad()
        loss_D = (
            F.softplus(-self.D(real)).mean() + F.softplus(self.D(fake.detach())).mean()
        )
        loss_D.backward()
        self.opt_D.step()
        return loss_G.item(), loss_D.item()


gan = GAN()
weights = [*gan.G.parameters(), *gan.D.parameters()]
before = [p.detach().clone() for p in weights]
for step in range(6):
    print(step, *map(repr, gan.optimize_parameters(torch.randn(16, 2) * 0.1 + 1)))

assert not any(map(torch.equal, before, weights))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in weights:
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
