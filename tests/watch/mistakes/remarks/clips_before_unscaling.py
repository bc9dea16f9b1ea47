"""The norm is clipped while the loss scale is still in the gradients.

Note: clips gradients at clips_before_unscaling.py:20 while the scale of GradScaler
"""

import torch
from torch import nn

torch.manual_seed(94)
model = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=10.0)
scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
inputs, targets = torch.randn(24, 4), torch.randn(24, 1)


def update(loss):
    optimizer.zero_grad()
    scaler.scale(loss).backward()
    # It divides a norm of 1 by the scale afterwards.
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    scaler.step(optimizer)
    scaler.update()


for _ in range(5):
    update(nn.functional.mse_loss(model(inputs), targets))
