"""A cosine schedule multiplies the rate of a group that begins, and so stays, at 0.

Expect: still; *text.*; its learning rate is 0;
"""

import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR


class Experiment:
    def __init__(self, epochs):
        self.text = nn.EmbeddingBag(30, 6)
        self.image = nn.Linear(12, 6)
        self.optimizer = torch.optim.SGD(
            [
                {"params": self.text.parameters(), "lr": 0.0},
                {"params": self.image.parameters()},
            ],
            lr=0.1,
            momentum=0.9,
        )
        self.schedule = CosineAnnealingLR(self.optimizer, epochs)

    def step(self):
        words, pixels = torch.randint(30, (5, 4)), torch.randn(5, 12)
        logits = self.text(words) @ self.image(pixels).T
        loss = nn.functional.cross_entropy(logits, torch.arange(5))
        loss = loss + nn.functional.cross_entropy(logits.T, torch.arange(5))
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.schedule.step()
        return loss.item()


def main():
    torch.manual_seed(75)
    experiment = Experiment(epochs=6)
    start = experiment.text.weight.tolist()
    for _ in range(6):
        print(experiment.step(), experiment.schedule.get_last_lr())
        assert experiment.schedule.get_last_lr()[0] == 0
    assert experiment.text.weight.tolist() == start
    assert experiment.text.weight.grad.any()


if __name__ == "__main__":
    main()
