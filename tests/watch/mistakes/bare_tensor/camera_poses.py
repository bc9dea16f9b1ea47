"""Camera poses are optimized with a scene, but the rays are made from their .data.

Expect: cut; poses; .data; # blame
"""

import torch
from torch import nn


def positional(x, frequencies=3):
    scales = 2.0 ** torch.arange(frequencies)
    angles = (x[..., None] * scales).flatten(-2)
    return torch.cat([angles.sin(), angles.cos()], -1)


torch.manual_seed(0)
poses = torch.zeros(5, 3, requires_grad=True)
scene = nn.Sequential(nn.Linear(18, 24), nn.ReLU(), nn.Linear(24, 3), nn.Sigmoid())
optimizer = torch.optim.Adam(
    [
        {"params": list(scene.parameters()), "lr": 1e-3, "name": "scene"},
        {"params": [poses], "lr": 1e-2, "name": "poses"},
    ]
)
scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
for step in range(4):
    camera = step % 5
    rays = torch.randn(16, 3) + poses.data[camera]  # blame
    pixels = torch.rand(16, 3)
    loss = nn.functional.l1_loss(scene(positional(rays)), pixels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    scheduler.step()
    print(step, loss.item())
assert poses.grad is None
assert not poses.any()
assert scene[0].weight.grad.abs().max() > 0
