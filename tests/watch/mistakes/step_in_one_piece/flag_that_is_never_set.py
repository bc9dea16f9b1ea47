"""The step enables gradients of the trunk by a flag that fit() never sets.

Expect: cut; *trunk.*; no_grad; # blame
"""

import torch
from torch import nn


class Experiment:
    def __init__(self, train_trunk=False):
        self.trunk = nn.RNN(4, 8, batch_first=True)
        self.head = nn.Bilinear(8, 8, 1)
        self.train_trunk = train_trunk
        self.losses = []

    def configure(self):
        groups = [
            {"params": self.trunk.parameters(), "lr": 1e-3},
            {"params": self.head.parameters(), "lr": 1e-2},
        ]
        self.optimizer = torch.optim.NAdam(groups)

    def training_step(self, x, y):
        with torch.set_grad_enabled(self.train_trunk):  # blame
            _, hidden = self.trunk(x)
            hidden = hidden.squeeze(0)
        logits = self.head(hidden, hidden.roll(1, 0)).squeeze(1)
        self.optimizer.zero_grad()
        loss = nn.functional.binary_cross_entropy_with_logits(logits, y)
        self.losses.append(loss.item())
        loss.backward()
        self.optimizer.step()

    def fit(self, steps):
        self.configure()
        for _ in range(steps):
            self.training_step(torch.randn(8, 5, 4), torch.randint(2, (8,)).float())


torch.manual_seed(73)
experiment = Experiment()
trunk = [p.detach().clone() for p in experiment.trunk.parameters()]
experiment.fit(steps=3)
print(experiment.losses)
for before, now in zip(trunk, experiment.trunk.parameters(), strict=True):
    assert torch.equal(before, now)
    assert now.grad is None
assert experiment.head.weight.grad.any()
