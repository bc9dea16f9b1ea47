"""Cast the model to bfloat16 instead of asking for mixed precision.

Expect: still; model.*norm.weight; rounded away;
"""

# Reported in: https://github.com/tianweiy/CausVid/issues/19

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from torch import nn
from torch.utils.data import DataLoader

set_seed(0)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.RMSNorm(8)
        self.up = nn.Linear(8, 16, bias=False)
        self.down = nn.Linear(16, 8, bias=False)

    def forward(self, x):
        return x + self.down(self.up(self.norm(x)).relu())


accelerator = Accelerator(cpu=True)
model = nn.Sequential(Block(), Block()).to(torch.bfloat16)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0)
loader = DataLoader(torch.randn(64, 8, dtype=torch.bfloat16), batch_size=16)
model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
before = {name: p.detach().clone() for name, p in model.named_parameters()}
for x in loader:
    loss = nn.functional.mse_loss(model(x), -x)
    accelerator.backward(loss)
    optimizer.step()
    optimizer.zero_grad()

for name, parameter in model.named_parameters():
    assert torch.equal(parameter, before[name]) == name.endswith("norm.weight"), name
