"""Build the model a second time, after the optimizer got the first one.

Expect: nothing trains; *; ;
Expect: not in optimizer; model.*; nobody applies;
Expect: orphan; *; held by the optimizer, not by the model;
"""

# Reported in: https://github.com/pytorch/pytorch/issues/54765

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

set_seed(0)


def build():
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))


accelerator = Accelerator(cpu=True)
optimizer = torch.optim.AdamW(build().parameters(), lr=1e-2)
model = build()
data = TensorDataset(torch.randn(64, 4), torch.randint(0, 3, (64,)))
model, optimizer, loader = accelerator.prepare(
    model, optimizer, DataLoader(data, batch_size=16)
)
before = {name: p.detach().clone() for name, p in model.named_parameters()}
for x, y in loader:
    loss = nn.functional.cross_entropy(model(x), y)
    accelerator.backward(loss)
    optimizer.step()
    optimizer.zero_grad()

for name, parameter in model.named_parameters():
    assert torch.equal(parameter, before[name]), name
    assert parameter.grad.count_nonzero()
