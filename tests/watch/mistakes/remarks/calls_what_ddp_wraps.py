"""The step unwraps the model, so nothing is averaged between the processes.

Note: Net trains, but the DistributedDataParallel around it never runs
"""

import torch
import torch.distributed as dist
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(5, 8)
        self.head = nn.Linear(8, 1)

    def forward(self, x):
        return self.head(torch.relu(self.body(x)))


def unwrapped(model):
    return getattr(model, "module", model)


def train(model, steps):
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(steps):
        x = torch.randn(12, 5)
        loss = (unwrapped(model)(x) - x.sum(1, keepdim=True)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


torch.manual_seed(95)
dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
try:
    train(nn.parallel.DistributedDataParallel(Net()), steps=5)
finally:
    dist.barrier()
    dist.destroy_process_group()
