"""A network grows by a block after its first epoch, and the optimizer is not told.

Expect: not in optimizer; growing.blocks.1.*; gets a gradient that nobody applies;
"""

import torch
from torch import nn


class Growing(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.channels = channels
        self.read = nn.Conv2d(1, channels, 1)
        self.blocks = nn.ModuleList()
        self.write = nn.Conv2d(channels, 1, 1)
        self.grow()

    def grow(self):
        conv = nn.Conv2d(self.channels, self.channels, 3, padding=1)
        self.blocks.append(nn.Sequential(conv, nn.LeakyReLU(0.1)))

    def forward(self, x):
        x = self.read(x)
        for block in self.blocks:
            x = x + block(x)
        return self.write(x)


def train_epoch(growing, optimizer, images):
    for image in images:
        noisy = image + 0.2 * torch.randn_like(image)
        loss = (growing(noisy) - image).square().mean()
        growing.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()


torch.manual_seed(59)
growing = Growing(4)
optimizer = torch.optim.Adam(growing.parameters(), lr=1e-2)
for epoch in range(3):
    if epoch == 1:
        growing.grow()
        new = growing.blocks[1][0].weight.tolist()
    print(epoch, train_epoch(growing, optimizer, torch.rand(1, 2, 1, 5, 5)))
assert growing.blocks[1][0].weight.tolist() == new
assert growing.blocks[1][0].weight.grad.any()
assert growing.blocks[0][0].weight in optimizer.state
