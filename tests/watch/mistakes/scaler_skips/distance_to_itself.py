"""Each sample's distance to itself is 0, where a root has no gradient but nan.

Expect: still; *encoder.*; skipped by the scaler;
"""

import torch
from torch import nn


def distances(z):
    difference = z[:, None] - z[None]
    return difference.square().sum(-1).sqrt()


class Metric:
    def __init__(self):
        self.encoder = nn.Linear(6, 4)
        self.classifier = nn.Linear(4, 3)
        self.optimizers = [
            torch.optim.SGD(self.encoder.parameters(), lr=0.05),
            torch.optim.SGD(self.classifier.parameters(), lr=0.05),
        ]
        self.scaler = torch.amp.GradScaler("cpu")

    def step(self, x, y):
        with torch.autocast("cpu", dtype=torch.float16):
            z = self.encoder(x)
            logits = self.classifier(z.detach())
        same = (y[:, None] == y).float()
        pairs = distances(z.float())
        spread = (same * pairs).mean() + ((1 - same) * (2 - pairs).relu()).mean()
        loss = spread + nn.functional.cross_entropy(logits.float(), y)
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        self.scaler.scale(loss).backward()
        for optimizer in self.optimizers:
            self.scaler.step(optimizer)
        self.scaler.update()
        return loss.item()


torch.manual_seed(87)
metric = Metric()
start = metric.encoder.weight.tolist(), metric.classifier.weight.tolist()
for _ in range(4):
    print(metric.step(torch.randn(9, 6), torch.randint(3, (9,))))
assert metric.encoder.weight.tolist() == start[0]
assert metric.encoder.weight.grad.isnan().any()
assert metric.classifier.weight.tolist() != start[1]
