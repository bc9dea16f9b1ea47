"""The classes of an angular margin loss lie in the loss, outside of the optimizer.

Expect: not in optimizer; trainer.margin.weight; gets a gradient that nobody applies;
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn


@dataclass
class Options:
    identities: int = 5
    width: int = 8
    scale: float = 16.0
    margin: float = 0.3


class ArcMargin(nn.Module):
    def __init__(self, options):
        super().__init__()
        self.options = options
        self.weight = nn.Parameter(torch.empty(options.identities, options.width))
        nn.init.xavier_uniform_(self.weight)

    def forward(self, embedding, label):
        cosine = F.linear(F.normalize(embedding), F.normalize(self.weight))
        sine = (1 - cosine.square()).clamp_min(1e-6).sqrt()
        m = self.options.margin
        phi = cosine * math.cos(m) - sine * math.sin(m)
        hot = F.one_hot(label, self.options.identities).bool()
        logits = torch.where(hot, phi, cosine) * self.options.scale
        return F.cross_entropy(logits, label)


class Trainer:
    def __init__(self, options):
        self.backbone = nn.Sequential(
            nn.Linear(20, 16), nn.PReLU(), nn.Linear(16, options.width)
        )
        self.margin = ArcMargin(options)
        self.optimizer = torch.optim.AdamW(self.backbone.parameters(), lr=1e-3)

    def train_step(self, x, y):
        loss = self.margin(self.backbone(x), y)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.backbone.parameters(), 5.0)
        self.optimizer.step()
        return {"loss": loss.item()}


torch.manual_seed(10)
trainer = Trainer(Options())
weight = trainer.margin.weight.detach().clone()
for _ in range(4):
    print(trainer.train_step(torch.randn(16, 20), torch.randint(5, (16,))))
assert torch.equal(trainer.margin.weight, weight)
assert trainer.margin.weight.grad.any()
