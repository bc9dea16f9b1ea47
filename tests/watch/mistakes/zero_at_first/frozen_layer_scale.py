"""The scale of a new block is 0 and frozen, and so its layers never get a gradient.

Expect: zero; vit.blocks.1.mlp.*; its gradient is;
"""

import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, width, scale):
        super().__init__()
        self.gamma = nn.Parameter(scale * torch.ones(width))
        self.mlp = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, width), nn.GELU()
        )

    def forward(self, x):
        return x + self.gamma * self.mlp(x)


class ViT(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.patches = nn.Conv2d(1, width, 4, stride=4)
        self.blocks = nn.ModuleList([Block(width, 0.1), Block(width, 0.0)])
        self.head = nn.Linear(width, 3)

    def forward(self, images):
        tokens = self.patches(images).flatten(2).transpose(1, 2)
        for block in self.blocks:
            tokens = block(tokens)
        return self.head(tokens.mean(1))


torch.manual_seed(0)
vit = ViT()
for name, parameter in vit.named_parameters():
    if "gamma" in name or name.startswith("patches"):
        parameter.requires_grad = False
optimizer = torch.optim.SGD(vit.parameters(), lr=0.05, momentum=0.9)
for step in range(4):
    images, labels = torch.randn(6, 1, 8, 8), torch.randint(3, (6,))
    loss = nn.functional.cross_entropy(vit(images), labels, label_smoothing=0.1)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
torch.manual_seed(0)
start = ViT()
for before, after in zip(start.blocks[1].mlp, vit.blocks[1].mlp, strict=True):
    for p, q in zip(before.parameters(), after.parameters(), strict=True):
        assert torch.equal(p, q)
assert not torch.equal(start.blocks[0].mlp[1].weight, vit.blocks[0].mlp[1].weight)
