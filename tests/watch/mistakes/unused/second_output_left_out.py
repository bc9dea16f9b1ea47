"""The model returns two outputs, and the loss function reads only the first of them.

Expect: unused; trainer.model.stop.*; its result never reaches the loss; # blame
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass
class Output:
    frames: Tensor
    stop: Tensor


class Speech(nn.Module):
    def __init__(self):
        super().__init__()
        self.letters = nn.Embedding(27, 8)
        self.decoder = nn.LSTM(8, 10, batch_first=True)
        self.frames = nn.Linear(10, 6)
        self.stop = nn.Linear(10, 1)

    def forward(self, text):
        hidden, _ = self.decoder(self.letters(text))
        frames = self.frames(hidden)
        stop = self.stop(hidden)  # blame
        return Output(frames=frames, stop=stop)


class Trainer:
    def __init__(self, model):
        self.model = model
        self.optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def loss(self, output, frames, stop):
        assert output.stop.shape == stop.shape
        return nn.functional.l1_loss(output.frames, frames)

    def step(self, text, frames, stop):
        loss = self.loss(self.model(text), frames, stop)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()


torch.manual_seed(43)
trainer = Trainer(Speech())
for _ in range(3):
    text = torch.randint(27, (4, 5))
    print(trainer.step(text, torch.rand(4, 5, 6), torch.zeros(4, 5, 1)))
assert trainer.model.stop.weight.grad is None
assert trainer.model.stop.weight not in trainer.optimizer.state
assert trainer.model.frames.weight in trainer.optimizer.state
