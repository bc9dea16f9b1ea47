"""All gradients are views of one buffer, those of the frozen part too, and SGD decays.

Expect: moves; *features.*; weight decay;
"""

from collections import OrderedDict

import torch
from torch import nn


class FlatGradients:
    def __init__(self, parameters):
        parameters = list(parameters)
        self.buffer = torch.zeros(sum(p.numel() for p in parameters))
        start = 0
        for p in parameters:
            p.grad = self.buffer[start : start + p.numel()].view_as(p)
            start += p.numel()

    def zero(self):
        self.buffer.zero_()

    def clip(self, limit):
        self.buffer.mul_((limit / (self.buffer.norm() + 1e-6)).clamp(max=1.0))


class Trainer:
    def __init__(self):
        self.model = nn.Sequential(
            OrderedDict(
                features=nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten()),
                classify=nn.Linear(27, 2),
            )
        )
        self.model.features.requires_grad_(False)
        self.gradients = FlatGradients(self.model.parameters())
        self.optimizer = torch.optim.SGD(
            self.model.parameters(), lr=0.1, weight_decay=1e-2
        )

    def step(self, x, y):
        self.gradients.zero()
        loss = nn.functional.cross_entropy(self.model(x), y)
        loss.backward()
        self.gradients.clip(1.0)
        self.optimizer.step()
        return loss.item()


torch.manual_seed(32)
trainer = Trainer()
frozen = trainer.model.features[0].weight.tolist()
for _ in range(3):
    print(trainer.step(torch.randn(5, 1, 5, 5), torch.randint(2, (5,))))
assert not trainer.model.features[0].weight.requires_grad
assert not trainer.model.features[0].weight.grad.any()
assert trainer.model.features[0].weight.tolist() != frozen
