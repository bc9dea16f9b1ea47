"""Call a copy of the unwrapped model in the loop; the optimizer holds the original.

Expect: nothing trains; *; ;
Expect: cut; model.*; copy.deepcopy() made other parameters; blame
Expect: not in optimizer; unwrapped.*; nobody applies;
"""

# Reported in: https://github.com/RobinLu1209/ST-GFSL/issues/3

import copy

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

set_seed(0)
accelerator = Accelerator(cpu=True)
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
data = TensorDataset(torch.randn(64, 4), torch.randint(0, 3, (64,)))
model, optimizer, loader = accelerator.prepare(
    model, optimizer, DataLoader(data, batch_size=16)
)
before = {name: p.detach().clone() for name, p in model.named_parameters()}
unwrapped = copy.deepcopy(accelerator.unwrap_model(model))  # blame
for x, y in loader:
    loss = nn.functional.cross_entropy(unwrapped(x), y)
    accelerator.backward(loss)
    optimizer.step()
    optimizer.zero_grad()

for network in (model, unwrapped):
    for name, parameter in network.named_parameters():
        assert torch.equal(parameter, before[name]), name
assert all(p.grad is None for p in model.parameters())
assert all(p.grad.count_nonzero() for p in unwrapped.parameters())
