"""A flag that nobody sets leaves the backward out, but not the step.

Expect: unused; net.*; step() ran, but no backward() before it
Expect: nothing trains; *; ;
"""

import argparse

import torch
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--train", action="store_true")
options = parser.parse_args()

torch.manual_seed(78)
net = nn.Sequential(nn.Conv1d(2, 4, 3), nn.Flatten(), nn.Linear(24, 2))
for layer in (net[0], net[2]):
    nn.init.xavier_uniform_(layer.weight)
optimizer = torch.optim.Adam(net.parameters())
for _ in range(4):
    x, labels = torch.randn(3, 2, 8), torch.randint(2, (3,))
    loss = nn.functional.cross_entropy(net(x), labels)
    if options.train:
        loss.backward()
    optimizer.step()
    optimizer.zero_grad()
