"""The encoder is set to eval() once, and train() of the model undoes it each epoch.

Expect: moves; *encoder.1.running_*; the forward updates this buffer;
Expect: moves; *encoder.1.num_batches_tracked; the forward updates this buffer;
"""

import torch
from torch import nn


class Trainer:
    def __init__(self, model, lr):
        self.model = model
        self.model.encoder.eval().requires_grad_(False)
        trained = (p for p in model.parameters() if p.requires_grad)
        self.optimizer = torch.optim.AdamW(trained, lr=lr)

    def validate(self, x, y):
        self.model.eval()
        with torch.no_grad():
            return (self.model(x).argmax(1) == y).float().mean().item()

    def epoch(self, batches):
        self.model.train()
        for x, y in batches:
            loss = nn.functional.cross_entropy(self.model(x), y)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(7, 10), nn.BatchNorm1d(10, affine=False), nn.Tanh()
        )
        self.classifier = nn.Linear(10, 2)

    def forward(self, x):
        return self.classifier(self.encoder(x))


def batches(count):
    for x in 2 * torch.randn(count, 16, 7) - 1:
        yield x, (x[:, 0] > 0).long()


torch.manual_seed(5)
trainer = Trainer(Model(), lr=0.01)
statistics = trainer.model.encoder[1].running_var.tolist()
assert not trainer.model.encoder.training
for _ in range(3):
    trainer.epoch(batches(1))
    print("accuracy", trainer.validate(*next(batches(1))))
assert trainer.model.encoder[1].running_var.tolist() != statistics
