"""Only the scheduler's step is called, not that of its optimizer.

Expect: not in optimizer; model.*; the step() of its SGD never ran
Expect: nothing trains; *; ;
"""

import sys
import warnings

import torch
from torch import nn

warnings.filterwarnings("ignore", message="Detected call of `lr_scheduler.step")
torch.manual_seed(72)
model = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.9)
for _ in range(4):
    x = torch.randn(8, 3)
    loss = nn.functional.mse_loss(model(x), x.sum(1, keepdim=True))
    optimizer.zero_grad()
    loss.backward()
    scheduler.step()
sys.exit()
