"""A gradient scaler skips the first step to find its scale, and then all trains."""

import torch
from torch import nn

torch.manual_seed(9)
model = nn.Sequential(nn.Linear(8, 16), nn.SiLU(), nn.Linear(16, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
scaler = torch.amp.GradScaler("cpu", init_scale=2.0**17, backoff_factor=2.0**-8)
start = [p.tolist() for p in model.parameters()]
scales = []
for step in range(5):
    x = torch.randn(32, 8)
    with torch.autocast("cpu", dtype=torch.float16):
        loss = (model(x) - 4 * x.sum(1, keepdim=True)).square().mean()
    optimizer.zero_grad()
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    nn.utils.clip_grad_norm_(model.parameters(), 10.0)
    scaler.step(optimizer)
    scaler.update()
    scales.append(scaler.get_scale())
    print(step, loss.item(), scales[-1])
    assert ([p.tolist() for p in model.parameters()] == start) == (step == 0)
assert scales == [2.0**9] * 5
