"""A schedule keeps the rate of the backbone at 0 for five steps, and it trains then.

Expect row: still; model.backbone.*; lr is 0 in these steps;
"""

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(5, 10), nn.ReLU())
        self.head = nn.Linear(10, 3)

    def forward(self, x):
        return self.head(self.backbone(x))


torch.manual_seed(58)
model = Model()
optimizer = torch.optim.Adam(
    [{"params": model.backbone.parameters()}, {"params": model.head.parameters()}],
    lr=1e-2,
)
schedule = LambdaLR(optimizer, [lambda step: min(1, step // 5), lambda step: 0.9**step])
start = model.backbone[0].weight.tolist()
for step in range(7):
    x = torch.randn(15, 5)
    loss = nn.functional.cross_entropy(model(x), x[:, :3].argmin(1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()
    print(step, loss.item(), schedule.get_last_lr())
    assert (model.backbone[0].weight.tolist() == start) == (step < 5)
