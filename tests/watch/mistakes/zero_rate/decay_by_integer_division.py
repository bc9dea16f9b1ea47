"""Rates decay from layer to layer by a quotient of integers, which is 0 for most.

Expect: still; encoder.0.*; its learning rate is 0;
Expect: still; encoder.1.*; its learning rate is 0;
Expect: still; encoder.2.*; its learning rate is 0;
"""

import torch
from torch import nn


class Encoder(nn.Sequential):
    def __init__(self, width, depth):
        layers = [
            nn.Sequential(nn.Linear(width, width), nn.GELU()) for _ in range(depth)
        ]
        super().__init__(*layers)


def groups(encoder, lr):
    for index, layer in enumerate(encoder, 1):
        yield {"params": list(layer.parameters()), "lr": lr * (index // len(encoder))}


torch.manual_seed(0)
encoder = Encoder(6, 4)
optimizer = torch.optim.AdamW(groups(encoder, 1e-3))
print([group["lr"] for group in optimizer.param_groups])
start = [layer[0].weight.tolist() for layer in encoder]
for _ in range(3):
    x = torch.randn(8, 6)
    loss = (encoder(x) - x.flip(1)).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(loss.item())
moved = [
    layer[0].weight.tolist() != before
    for layer, before in zip(encoder, start, strict=True)
]
assert moved == [False, False, False, True]
assert all(p.grad.any() for p in encoder.parameters())
