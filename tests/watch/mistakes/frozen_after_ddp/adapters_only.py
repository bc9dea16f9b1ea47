"""A callback trains only adapters, and it runs when DDP already wraps the model.

Expect: frozen after DDP; *main.*; ;
Raises: Expected to have finished reduction in the prior iteration
"""

import torch
import torch.distributed as dist
from torch import nn


class Layer(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.main = nn.Linear(width, width)
        self.adapter = nn.Sequential(nn.Linear(width, 2), nn.Linear(2, width))

    def forward(self, x):
        return torch.tanh(self.main(x) + self.adapter(x))


class OnlyAdapters:
    def on_train_start(self, model):
        model.requires_grad_(False)
        for module in model.modules():
            if hasattr(module, "adapter"):
                module.adapter.requires_grad_(True)


def fit(model, callbacks, steps):
    wrapped = nn.parallel.DistributedDataParallel(model)
    for callback in callbacks:
        callback.on_train_start(wrapped.module)
    trainable = [p for p in wrapped.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trainable, lr=1e-3)
    for step in range(steps):
        x = torch.randn(6, 5)
        loss = nn.functional.l1_loss(wrapped(x), x.flip(0))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        print(step, loss.item())
        assert model[0].main.weight.grad is None


dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
torch.manual_seed(37)
fit(nn.Sequential(Layer(5), Layer(5)), [OnlyAdapters()], steps=3)
