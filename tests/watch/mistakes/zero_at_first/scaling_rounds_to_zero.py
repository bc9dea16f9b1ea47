"""The scaling of an adapter is an integer division, 8 // 16, and so it is 0.

Expect: zero; *lora_?; its gradient is exactly zero;
"""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.utils import parametrize


@dataclass(frozen=True)
class LoraConfig:
    r: int = 16
    alpha: int = 8

    @property
    def scaling(self):
        return self.alpha // self.r


class Update(nn.Module):
    def __init__(self, weight, config):
        super().__init__()
        rows, columns = weight.shape
        self.lora_A = nn.Parameter(torch.randn(config.r, columns) / config.r)
        self.lora_B = nn.Parameter(torch.zeros(rows, config.r))
        self.scaling = config.scaling

    def forward(self, weight):
        return weight + self.scaling * (self.lora_B @ self.lora_A)


def attach(model, config):
    model.requires_grad_(False)
    for module in list(model.modules()):
        if isinstance(module, nn.Conv1d):
            continue
        if isinstance(module, nn.Linear):
            update = Update(module.weight, config)
            parametrize.register_parametrization(module, "weight", update)
            module.bias.requires_grad_(True)


torch.manual_seed(5)
model = nn.Sequential(nn.Linear(10, 20), nn.SELU(), nn.Linear(20, 1))
attach(model, LoraConfig())
trainable = [p for p in model.parameters() if p.requires_grad]
optimizer = torch.optim.Adamax(trainable, lr=0.01)
for _ in range(3):
    x = torch.randn(32, 10)
    loss = (model(x).squeeze(1) - x.norm(dim=1)).abs().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(loss.item())
for layer in (model[0], model[2]):
    update = layer.parametrizations.weight[0]
    assert not update.lora_B.any()
    assert not update.lora_A.grad.any()
    assert layer.bias.grad.any()
