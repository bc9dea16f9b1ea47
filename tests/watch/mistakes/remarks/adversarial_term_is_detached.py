"""The adversarial term is computed from a detached image: only the L1 loss trains.

Note: adversarial_term_is_detached.py:31 gives no gradient to what the steps after it
"""

import torch
from torch import nn


class Translator:
    def __init__(self):
        self.generator = nn.Sequential(nn.Linear(6, 12), nn.Tanh(), nn.Linear(12, 6))
        self.critic = nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 1))
        self.to_generator = torch.optim.Adam(self.generator.parameters(), lr=1e-3)
        self.to_critic = torch.optim.Adam(self.critic.parameters(), lr=1e-3)

    def critic_step(self, image, target):
        real = nn.functional.softplus(-self.critic(target)).mean()
        fake = nn.functional.softplus(self.critic(image.detach())).mean()
        self.to_critic.zero_grad()
        (real + fake).backward()
        self.to_critic.step()

    def step(self, source, target):
        image = self.generator(source)
        self.critic_step(image, target)
        fooled = image.detach()
        adversarial = nn.functional.softplus(-self.critic(fooled)).mean()
        distance = (image - target).abs().mean()
        self.to_generator.zero_grad()
        loss = adversarial + 10 * distance
        loss.backward()
        self.to_generator.step()
        return loss


torch.manual_seed(31)
translator = Translator()
for _ in range(5):
    translator.step(torch.randn(16, 6), torch.randn(16, 6))
