"""The generator's loss is computed on the detached images that the discriminator got.

Expect: cut; gan.generator.*; detach(); # blame
"""

import torch
from torch import nn


class Generator(nn.Module):
    def __init__(self, latent):
        super().__init__()
        self.latent = latent
        self.main = nn.Sequential(
            nn.ConvTranspose2d(latent, 4, 4), nn.ReLU(), nn.Conv2d(4, 1, 1), nn.Tanh()
        )

    def forward(self, count):
        return self.main(torch.randn(count, self.latent, 1, 1))


class Gan:
    def __init__(self):
        self.generator = Generator(5)
        self.discriminator = nn.Sequential(
            nn.Conv2d(1, 8, 4), nn.LeakyReLU(0.2), nn.Flatten(0)
        )
        self.criterion = nn.BCEWithLogitsLoss()
        rates = {"lr": 2e-4, "betas": (0.5, 0.999)}
        self.opt_g = torch.optim.Adam(self.generator.parameters(), **rates)
        self.opt_d = torch.optim.Adam(self.discriminator.parameters(), **rates)

    def judge(self, images, label):
        scores = self.discriminator(images)
        return self.criterion(scores, torch.full_like(scores, label))

    def step(self, real):
        self.opt_d.zero_grad()
        fake = self.generator(len(real)).detach()  # blame
        loss_d = self.judge(real, 1.0) + self.judge(fake, 0.0)
        loss_d.backward()
        self.opt_d.step()

        self.opt_g.zero_grad()
        loss_g = self.judge(fake, 1.0)
        loss_g.backward()
        self.opt_g.step()
        return loss_d.item(), loss_g.item()


torch.manual_seed(36)
gan = Gan()
start = gan.generator.main[0].weight.detach().clone()
for _ in range(3):
    print(*gan.step(torch.rand(4, 1, 4, 4)))
assert torch.equal(gan.generator.main[0].weight, start)
assert gan.generator.main[2].bias.grad is None
assert gan.discriminator[0].weight in gan.opt_d.state
