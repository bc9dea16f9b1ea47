"""Two generators and two discriminators train in a cycle, with a pool of old fakes."""

import hashlib
import itertools
import random

import torch
from torch import nn


class ImagePool:
    def __init__(self, size):
        self.size, self.images = size, []

    def query(self, images):
        out = []
        for image in images.data:
            if len(self.images) < self.size:
                self.images.append(image)
                out.append(image)
            elif random.random() > 0.5:
                i = random.randrange(self.size)
                out.append(self.images[i].clone())
                self.images[i] = image
            else:
                out.append(image)
        return torch.stack(out)


def generator():
    return nn.Sequential(nn.Linear(4, 12), nn.ReLU(), nn.Linear(12, 4))


def discriminator():
    return nn.Sequential(nn.Linear(4, 12), nn.LeakyReLU(0.2), nn.Linear(12, 1))


class CycleGAN:
    def __init__(self):
        self.nets = nn.ModuleDict(
            {
                "A2B": generator(),
                "B2A": generator(),
                "A": discriminator(),
                "B": discriminator(),
            }
        )
        pairs = itertools.chain(
            self.nets["A2B"].parameters(), self.nets["B2A"].parameters()
        )
        self.optimizer_G = torch.optim.Adam(pairs, lr=2e-3)
        self.optimizer_D = torch.optim.Adam(
            itertools.chain(self.nets["A"].parameters(), self.nets["B"].parameters()),
            lr=2e-3,
        )
        self.pools = {"A": ImagePool(12), "B": ImagePool(12)}

    def adversarial(self, name, image, real):
        out = self.nets[name](image)
        return (out - (1.0 if real else 0.0)).pow(2).mean()

    def step(self, real):
        for name in "AB":
            self.nets[name].requires_grad_(False)
        fake = {"B": self.nets["A2B"](real["A"]), "A": self.nets["B2A"](real["B"])}
        back = {"A": self.nets["B2A"](fake["B"]), "B": self.nets["A2B"](fake["A"])}
        same = {"A": self.nets["B2A"](real["A"]), "B": self.nets["A2B"](real["B"])}
        loss_G = sum(
            self.adversarial(name, fake[name], real=True)
            + 10 * (back[name] - real[name]).abs().mean()
            + 5 * (same[name] - real[name]).abs().mean()
            for name in "AB"
        )
        self.optimizer_G.zero_grad()
        loss_G.backward()
        self.optimizer_G.step()

        for name in "AB":
            self.nets[name].requires_grad_(True)
        self.optimizer_D.zero_grad()
        losses = []
        for name in "AB":
            old = self.pools[name].query(fake[name])
            loss_D = 0.5 * (
                self.adversarial(name, real[name], real=True)
                + self.adversarial(name, old.detach(), real=False)
            )
            loss_D.backward()
            losses.append(loss_D.item())
        self.optimizer_D.step()
        return [loss_G.item(), *losses]


random.seed(25)
torch.manual_seed(25)
gan = CycleGAN()
before = [p.detach().clone() for p in gan.nets.parameters()]
for epoch in range(5):
    batch = {"A": torch.randn(8, 4), "B": torch.randn(8, 4) * 2 + 1}
    print(epoch, *map(repr, gan.step(batch)))

assert not any(map(torch.equal, before, gan.nets.parameters()))
digest = hashlib.sha256(torch.get_rng_state().numpy())
digest.update(repr(random.getstate()).encode())
for p in gan.nets.parameters():
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
