"""The loss goes through a copy that a helper makes, and the optimizer has the model.

Expect: cut; trainer.backbone.*; copy.deepcopy() made other parameters; # blame
"""

import torch
from torch import nn
from utils import clone_of, seed_everything


class Trainer:
    def __init__(self, classes):
        self.backbone = nn.Sequential(
            nn.Conv1d(1, 4, 5, padding=2), nn.ReLU(), nn.AdaptiveMaxPool1d(4)
        )
        self.head = nn.Linear(16, classes)
        self.optimizer = torch.optim.Adadelta(
            [*self.backbone.parameters(), *self.head.parameters()], lr=0.5
        )

    def stage(self, loader):
        for x, y in loader:
            extractor = clone_of(self.backbone)
            steps = torch.optim.SGD(extractor.parameters(), lr=0.1)
            logits = self.head(extractor(x).flatten(1))
            loss = nn.functional.multi_margin_loss(logits, y)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            steps.step()
            yield loss.item()


def batches(n):
    for _ in range(n):
        y = torch.randint(3, (8,))
        yield torch.randn(8, 1, 12) + y[:, None, None], y


seed_everything(33)
trainer = Trainer(3)
initial = trainer.backbone[0].weight.tolist()
for loss in trainer.stage(batches(4)):
    print(loss)
assert trainer.backbone[0].weight.tolist() == initial
assert trainer.backbone[0].bias.grad is None
assert trainer.head.weight.grad.any()
