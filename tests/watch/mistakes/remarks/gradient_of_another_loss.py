"""The loss of a generator leaves gradients on the discriminator, which it steps with.

Note: the step() of Adam at gradient_of_another_loss.py:26 also applies gradients from
"""

import torch
from torch import nn


class Trainer:
    def __init__(self):
        self.generator, self.discriminator = nn.Linear(3, 4), nn.Linear(4, 1)
        self.of_generator = torch.optim.RMSprop(self.generator.parameters(), lr=0.001)
        self.of_discriminator = torch.optim.Adam(self.discriminator.parameters())

    def train(self, real):
        self.of_discriminator.zero_grad()
        self.of_generator.zero_grad()
        fake = self.generator(torch.randn(len(real), 3))
        nn.functional.softplus(-self.discriminator(fake)).mean().backward()
        self.of_generator.step()
        scores = self.discriminator(real), self.discriminator(fake.detach())
        loss = nn.functional.softplus(-scores[0]) + nn.functional.softplus(scores[1])
        loss.mean().backward()
        torch.nn.utils.clip_grad_value_(self.discriminator.parameters(), 1.0)
        self.of_discriminator.step()


torch.manual_seed(89)
trainer = Trainer()
for _ in range(5):
    trainer.train(torch.randn(8, 4))
