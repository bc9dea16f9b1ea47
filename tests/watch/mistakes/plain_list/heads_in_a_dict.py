"""Each data set has a head in a plain dict of the trainer, which forgets to add them.

Expect: not in optimizer; *heads*; gets a gradient that nobody applies;
"""

import torch
from torch import nn


class Trainer:
    def __init__(self, classes):
        self.trunk = nn.Sequential(nn.Linear(8, 16), nn.CELU())
        self.heads = {name: nn.Linear(16, n) for name, n in classes.items()}
        self.optimizer = torch.optim.AdamW(self.trunk.parameters(), lr=1e-3)

    def step(self, batches):
        self.optimizer.zero_grad()
        losses = {}
        for name, (x, y) in batches.items():
            logits = self.heads[name](self.trunk(x))
            loss = nn.functional.cross_entropy(logits, y)
            loss.backward()
            losses[name] = loss.item()
        self.optimizer.step()
        return losses


classes = {"birds": 4, "cars": 3}
torch.manual_seed(72)
trainer = Trainer(classes)
start = {name: head.weight.tolist() for name, head in trainer.heads.items()}
for _ in range(3):
    batches = {
        name: (torch.randn(6, 8), torch.randint(n, (6,))) for name, n in classes.items()
    }
    print(trainer.step(batches))
for name, head in trainer.heads.items():
    assert head.weight.tolist() == start[name]
    assert head.weight.grad.any()
