"""A schedule of its own holds the backbone's rate at zero while the head settles.

Expect row: still; model.backbone.*; lr is 0 in these steps
"""

import hashlib

import torch
from torch import nn

torch.manual_seed(87)
DELAY = 4


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(6, 12), nn.ReLU())
        self.head = nn.Linear(12, 2)

    def forward(self, x):
        return self.head(self.backbone(x))


model = Model()
optimizer = torch.optim.AdamW(
    [
        {"params": model.backbone.parameters(), "lr": 1e-3, "name": "backbone"},
        {"params": model.head.parameters(), "lr": 1e-2, "name": "head"},
    ]
)
scheduler = torch.optim.lr_scheduler.LambdaLR(
    optimizer, [lambda step: float(step >= DELAY), lambda step: 0.9**step]
)
before = {name: p.detach().clone() for name, p in model.named_parameters()}
for step in range(8):
    x = torch.randn(16, 6)
    loss = nn.functional.cross_entropy(model(x), (x[:, 0] > x[:, 1]).long())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    scheduler.step()
    print(step, repr(loss.item()), [repr(rate) for rate in scheduler.get_last_lr()])
    moved = {name for name, p in model.named_parameters() if (p != before[name]).any()}
    assert moved == {n for n in before if step >= DELAY or n.startswith("head")}

digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in model.parameters():
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
