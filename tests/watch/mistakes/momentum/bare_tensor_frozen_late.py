"""A pose is frozen after a step, and momentum goes on moving it.

Expect: moves; pose; momentum;
"""

import torch
from torch import nn

torch.manual_seed(0)
decoder = nn.Linear(3, 4)
pose = torch.ones(3, requires_grad=True)
groups = [{"params": decoder.parameters()}, {"params": [pose], "name": "pose"}]
optimizer = torch.optim.RMSprop(groups, lr=0.1, momentum=0.9)
target = torch.rand(4)
for step in range(4):
    if step == 1:
        pose.requires_grad_(False)
        start = pose.tolist()
    loss = (decoder(pose) - target).square().sum()
    optimizer.zero_grad(set_to_none=False)
    loss.backward()
    optimizer.step()
    print(step, loss.item())
assert pose.tolist() != start
