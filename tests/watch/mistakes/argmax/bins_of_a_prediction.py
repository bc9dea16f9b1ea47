"""A predicted duration is rounded to an index of an embedding by long().

Expect: cut; *duration.*; long() is not differentiable; # blame
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn


class Sample(NamedTuple):
    phonemes: Tensor
    frames: Tensor


class Synthesizer(nn.Module):
    def __init__(self):
        super().__init__()
        self.phonemes = nn.Embedding(20, 6)
        self.duration = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 1))
        self.lengths = nn.Embedding(10, 6)
        self.frames = nn.Linear(6, 5)

    def forward(self, sample):
        h = self.phonemes(sample.phonemes)
        steps = self.duration(h).squeeze(-1).sigmoid() * 9
        index = steps.long()  # blame
        return self.frames(h + self.lengths(index))


class Training:
    model_class = Synthesizer

    def __init__(self, lr):
        self.model = self.model_class()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr)

    def __call__(self, sample):
        loss = nn.functional.l1_loss(self.model(sample), sample.frames)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()


torch.manual_seed(90)
training = Training(lr=1e-3)
for _ in range(3):
    sample = Sample(torch.randint(20, (4, 7)), torch.rand(4, 7, 5))
    print(training(sample))
assert all(p.grad is None for p in training.model.duration.parameters())
assert training.model.lengths.weight.grad.any()
assert training.model.phonemes.weight in training.optimizer.state
