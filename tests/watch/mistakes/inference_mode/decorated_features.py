"""The features are computed by a method decorated for inference, also in training.

Expect: cut; *model.vision.*; inference_mode; # blame
"""

import torch
from torch import nn


class Captioner(nn.Module):
    def __init__(self):
        super().__init__()
        self.vision = nn.Sequential(nn.Conv2d(3, 4, 3), nn.GELU(), nn.Flatten())
        self.project = nn.Linear(64, 8)
        self.decode = nn.Linear(8, 12)

    @torch.inference_mode()
    def encode(self, image):
        return self.vision(image)

    def forward(self, image):
        features = self.encode(image)  # blame
        return self.decode(torch.tanh(self.project(features.clone())))


class Trainer:
    def __init__(self):
        self.model = Captioner()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-3)

    def run(self, steps):
        for step in range(steps):
            image, word = torch.rand(4, 3, 6, 6), torch.randint(12, (4,))
            loss = nn.functional.cross_entropy(self.model(image), word)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            print(step, loss.item())


torch.manual_seed(0)
trainer = Trainer()
start = trainer.model.vision[0].weight.tolist()
trainer.run(3)
assert trainer.model.vision[0].weight.tolist() == start
assert trainer.model.vision[0].weight.grad is None
assert trainer.model.project.weight.grad.any()
