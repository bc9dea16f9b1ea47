"""An image is optimized, but its name was bound to a new leaf after the optimizer.

Expect: orphan; *image; held by the optimizer, not by the model;
Expect: unregistered; *image; ;
"""

import torch
from torch import nn


def gram(features):
    flat = features.flatten(1)
    return flat @ flat.T / flat.shape[1]


torch.manual_seed(67)
vgg = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 6, 3))
vgg.requires_grad_(False)
image = torch.rand(3, 9, 9).requires_grad_()
tint = nn.Parameter(torch.ones(3, 1, 1))
optimizer = torch.optim.Adam(
    [
        {"params": [image], "name": "image"},
        {"params": [tint], "name": "tint"},
    ],
    lr=0.02,
)
image = image.detach().clamp(0.2, 0.8).requires_grad_()
style = gram(vgg(torch.rand(3, 9, 9)))
start = image.tolist()
for step in range(4):
    loss = (gram(vgg(tint * image)) - style).square().sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
assert image.tolist() == start
assert image.grad.any()
assert tint.grad.any()
assert list(optimizer.state) == [tint]
