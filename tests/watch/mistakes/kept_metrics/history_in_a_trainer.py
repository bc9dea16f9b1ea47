"""A trainer keeps the total variation of its images in a list, with their graphs.

All parameters train; what goes wrong is that memory grows from step to step.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn


@dataclass
class History:
    loss: list[float] = field(default_factory=list)
    variation: list[Tensor] = field(default_factory=list)


class Denoiser(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.GELU(), nn.Conv2d(8, 1, 3, padding=1)
        )

    def forward(self, noisy):
        return noisy - self.net(noisy)


class Trainer:
    def __init__(self):
        self.model = Denoiser()
        self.optimizer = torch.optim.RMSprop(self.model.parameters(), lr=1e-3)
        self.history = History()

    def step(self, clean):
        restored = self.model(clean + 0.1 * torch.randn_like(clean))
        loss = (restored - clean).abs().mean()
        slope = restored[..., 1:] - restored[..., :-1]
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.history.loss.append(loss.item())
        self.history.variation.append(slope.square().sum().sqrt())


torch.manual_seed(3)
trainer = Trainer()
for _ in range(4):
    trainer.step(torch.rand(2, 1, 8, 8))
print(trainer.history.loss)
for value in trainer.history.variation:
    root = value.grad_fn
    square = root.next_functions[0][0].next_functions[0][0]
    assert root.name() == "SqrtBackward0"
    assert square._saved_self.numel() == 2 * 8 * 7
