"""A head begins with zeros before a ReLU, whose gradient at 0 is 0 for ever.

Expect: zero; net.variance.*; its gradient is;
"""

import torch
from torch import nn


class Gaussian(nn.Module):
    def __init__(self, inputs):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(inputs, 16), nn.SiLU())
        self.mean = nn.Linear(16, 1)
        self.variance = nn.Linear(16, 1)
        nn.init.zeros_(self.variance.weight)
        nn.init.zeros_(self.variance.bias)

    def forward(self, x):
        h = self.trunk(x)
        return self.mean(h), torch.relu(self.variance(h)) + 0.01


def main(epochs=3):
    torch.manual_seed(21)
    net = Gaussian(3)
    optimizer = torch.optim.ASGD(net.parameters(), lr=1e-3)
    criterion = nn.GaussianNLLLoss()
    x = torch.rand(30, 3)
    y = x.sum(1, keepdim=True) + torch.randn(30, 1)
    for epoch in range(epochs):
        for chunk_x, chunk_y in zip(x.split(10), y.split(10), strict=True):
            optimizer.zero_grad()
            mean, variance = net(chunk_x)
            criterion(mean, chunk_y, variance).backward()
            optimizer.step()
        print(epoch, variance.mean().item())
    assert not net.variance.weight.any()
    assert not net.variance.bias.any()
    assert not net.variance.bias.grad.any()
    assert net.trunk[0].weight.grad.any()


main()
