"""A model keeps its frozen backbone in eval() in each mode, as it should."""

import torch
from torch import nn


class Frozen(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Linear(6, 12, bias=False), nn.BatchNorm1d(12), nn.ReLU()
        )
        self.neck = nn.Sequential(nn.Linear(12, 8, bias=False), nn.BatchNorm1d(8))
        self.head = nn.Linear(8, 1)
        self.backbone.requires_grad_(False)

    def train(self, mode=True):
        super().train(mode)
        self.backbone.eval()
        return self

    def forward(self, x):
        return self.head(self.neck(self.backbone(x)).sigmoid())


torch.manual_seed(41)
model = Frozen()
optimizer = torch.optim.NAdam(model.parameters(), lr=1e-2)
state = {name: value.clone() for name, value in model.state_dict().items()}
for epoch in range(3):
    model.train()
    x = torch.randn(20, 6)
    loss = nn.functional.mse_loss(model(x), x.sum(1, keepdim=True))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(epoch, loss.item())
for name, value in model.state_dict().items():
    assert torch.equal(value, state[name]) == name.startswith("backbone"), name
