"""The head is given the features from before the refinement, which is for nothing.

Expect: unused; *refine.*; its result never reaches the loss; # blame
"""

import torch
from torch import nn


class Refine(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.mix = nn.Linear(width, width)


class PointNet(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.embed = nn.Linear(3, width)
        self.refine = Refine(width)
        self.head = nn.Linear(width, 4)

    def forward(self, points):
        features = self.embed(points).relu()
        refined = self.refine.mix(self.refine.norm(features))  # blame
        assert refined.shape == features.shape
        return self.head(features.amax(1))


def main():
    torch.manual_seed(3)
    net = PointNet()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, weight_decay=1e-4)
    for epoch in range(3):
        cloud, label = torch.randn(6, 12, 3), torch.randint(4, (6,))
        loss = nn.functional.cross_entropy(net(cloud), label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(epoch, loss.item())
    assert all(p.grad is None for p in net.refine.parameters())
    torch.manual_seed(3)
    start = PointNet()
    assert torch.equal(start.refine.mix.weight, net.refine.mix.weight)
    assert not torch.equal(start.embed.weight, net.embed.weight)


if __name__ == "__main__":
    main()
