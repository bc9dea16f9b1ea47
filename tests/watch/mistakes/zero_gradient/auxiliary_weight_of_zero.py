"""The auxiliary loss is multiplied by the default of its weight, which is 0.

Expect: zero; net.rotation.*; its gradient is exactly zero;
"""

import argparse

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Conv2d(1, 6, 3), nn.Tanh(), nn.Flatten())
        self.classes = nn.Linear(54, 5)
        self.rotation = nn.Linear(54, 4)

    def forward(self, x):
        h = self.trunk(x)
        return self.classes(h), self.rotation(h)


def rotated(images):
    turns = torch.randint(4, (len(images),)).tolist()
    turned = [torch.rot90(i, k, (1, 2)) for i, k in zip(images, turns, strict=True)]
    return torch.stack(turned), torch.tensor(turns)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rotation-weight", type=float, default=0)
    args = parser.parse_args()
    torch.manual_seed(53)
    net = Net()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(3):
        images, labels = torch.rand(8, 1, 5, 5), torch.randint(5, (8,))
        images, turns = rotated(images)
        classes, rotation = net(images)
        main_loss = nn.functional.cross_entropy(classes, labels)
        turn_loss = nn.functional.cross_entropy(rotation, turns)
        loss = main_loss + args.rotation_weight * turn_loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(epoch, main_loss.item(), turn_loss.item())
    assert not net.rotation.weight.grad.any()
    assert not net.rotation.bias.grad.any()
    assert net.trunk[0].weight.grad.any()


main()
