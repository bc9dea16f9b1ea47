"""A frozen backbone is in training mode, and so its statistics follow the new data.

Expect: moves; model.backbone.*running_*; the forward updates this buffer;
Expect: moves; model.backbone.*num_batches_tracked; the forward updates this buffer;
"""

import torch
from torch import nn


def block(inputs, outputs):
    conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())


class FineTuned(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(block(3, 4), block(4, 8))
        self.fc = nn.Linear(8, 5)

    def forward(self, x):
        return self.fc(self.backbone(x).mean((2, 3)))


torch.manual_seed(0)
model = FineTuned()
for parameter in model.backbone.parameters():
    parameter.requires_grad = False
optimizer = torch.optim.SGD(model.fc.parameters(), lr=0.01, momentum=0.9)
mean = model.backbone[0][1].running_mean.clone()
for epoch in range(2):
    model.train()
    for _ in range(2):
        x, y = torch.rand(8, 3, 6, 6) + 3, torch.randint(5, (8,))
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(epoch, loss.item())
assert not torch.equal(model.backbone[0][1].running_mean, mean)
assert model.backbone[1][1].num_batches_tracked == 4
assert model.backbone[0][0].weight.grad is None
