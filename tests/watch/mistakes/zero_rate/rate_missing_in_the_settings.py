"""The settings have no rate for a bare pose, and the default of the dataclass is 0.

Expect: still; *offset; its learning rate is 0;
"""

from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn


@dataclass
class Rates:
    field: float = 0.0
    offset: float = 0.0

    @classmethod
    def read(cls, settings):
        known = {f.name for f in fields(cls)}
        return cls(**{k: v for k, v in settings.items() if k in known})


@dataclass
class Scene:
    field: nn.Module
    offset: Tensor

    def groups(self, rates):
        yield {"params": list(self.field.parameters()), "lr": rates.field}
        yield {"params": [self.offset], "lr": rates.offset, "name": "offset"}

    def render(self, points):
        return self.field(points + self.offset)


settings = {"field": 0.01, "ofset": 0.1}
torch.manual_seed(24)
field = nn.Sequential(nn.Linear(2, 16), nn.Sigmoid(), nn.Linear(16, 1))
scene = Scene(field, torch.zeros(2).requires_grad_())
optimizer = torch.optim.Adamax(scene.groups(Rates.read(settings)))
for _ in range(4):
    points = torch.randn(30, 2)
    loss = nn.functional.l1_loss(scene.render(points), points.norm(dim=1)[:, None])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print("loss", loss.item())
assert not scene.offset.any()
assert scene.offset.grad.any()
