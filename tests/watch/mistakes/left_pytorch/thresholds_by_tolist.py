"""Learned borders between bins become a list, and a loop of Python compares with them.

Expect: unused; net.borders; its result left PyTorch by tolist(); # blame
"""

import bisect

import torch
from torch import nn


class Binned(nn.Module):
    def __init__(self, bins):
        super().__init__()
        self.borders = nn.Parameter(torch.linspace(-1, 1, bins - 1))
        self.values = nn.Embedding(bins, 4)
        self.out = nn.Linear(4, 1)

    def forward(self, column):
        borders = self.borders.tolist()  # blame
        index = [bisect.bisect(borders, value) for value in column]
        return self.out(self.values(torch.tensor(index)))


def columns(count, size):
    for _ in range(count):
        yield torch.randn(size).tolist()


def main():
    torch.manual_seed(76)
    net = Binned(6)
    optimizer = torch.optim.Adagrad(net.parameters(), lr=0.1)
    before = net.borders.sum().item()
    for column in columns(3, 20):
        target = torch.tensor(column)[:, None].square()
        loss = (net(column) - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(loss.item())
    assert net.borders.sum().item() == before
    assert net.borders.grad is None
    assert net.values.weight.grad.any()


main()
