"""The loss of a generator is wrapped in torch.tensor(), so that it requires grad.

Expect: cut; *generator.*; torch.tensor(); # blame
"""

import warnings

import torch
from torch import nn

warnings.filterwarnings("ignore", message="To copy construct")


class Inpainting:
    def __init__(self):
        self.generator = nn.Sequential(nn.Conv1d(2, 6, 3, padding=1), nn.ReLU())
        self.generator.append(nn.Conv1d(6, 1, 3, padding=1))
        self.critic = nn.Sequential(nn.Conv1d(1, 6, 4), nn.SiLU(), nn.Conv1d(6, 1, 5))
        self.optimizers = [
            torch.optim.Adam(net.parameters(), lr=1e-3)
            for net in (self.generator, self.critic)
        ]

    def generator_loss(self, signal, mask):
        filled = self.generator(torch.cat([signal * mask, mask], 1))
        loss = (filled - signal).abs().mean() - self.critic(filled).mean()
        return filled, torch.tensor(loss, requires_grad=True)  # blame

    def critic_loss(self, signal, filled):
        real, fake = self.critic(signal), self.critic(filled.detach())
        return ((real - 1).square() + fake.square()).mean()

    def step(self, signal):
        mask = (torch.rand_like(signal) > 0.2).float()
        filled, loss_g = self.generator_loss(signal, mask)
        losses = loss_g, self.critic_loss(signal, filled)
        for optimizer, loss in zip(self.optimizers, losses, strict=True):
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return [loss.item() for loss in losses]


torch.manual_seed(95)
inpainting = Inpainting()
start = inpainting.generator[0].weight.tolist(), inpainting.critic[0].weight.tolist()
for _ in range(3):
    print(inpainting.step(torch.randn(4, 1, 8).cumsum(-1)))
assert inpainting.generator[0].weight.tolist() == start[0]
assert inpainting.generator[2].bias.grad is None
assert inpainting.critic[0].weight.tolist() != start[1]
