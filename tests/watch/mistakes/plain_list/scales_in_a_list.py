"""Scales are parameters in a plain list, in no module and in no optimizer.

Expect: unregistered; *scales*; ;
"""

import torch
from torch import nn


class Pyramid(nn.Module):
    def __init__(self, levels):
        super().__init__()
        self.levels = nn.ModuleList(
            nn.Conv1d(1, 1, 3, padding=1) for _ in range(levels)
        )
        self.scales = [nn.Parameter(torch.ones(1)) for _ in range(levels)]

    def forward(self, signal):
        total = 0
        for level, scale in zip(self.levels, self.scales, strict=True):
            total = total + scale * level(signal)
            signal = nn.functional.avg_pool1d(signal, 3, stride=1, padding=1)
        return total


def main():
    torch.manual_seed(62)
    pyramid = Pyramid(3)
    optimizer = torch.optim.SGD(pyramid.parameters(), lr=0.01, momentum=0.9)
    for step in range(4):
        signal = torch.randn(4, 1, 20).cumsum(-1)
        loss = (pyramid(signal) - signal.flip(-1)).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(step, loss.item())
    assert [scale.item() for scale in pyramid.scales] == [1, 1, 1]
    assert all(scale.grad is not None for scale in pyramid.scales)


if __name__ == "__main__":
    main()
