"""Weight normalization is applied after the optimizer took the plain weight.

Expect: orphan; *; held by the optimizer, not by the model;
Expect: not in optimizer; net.0.parametrizations.*; gets a gradient that nobody applies;
"""

import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm


def normalize(module):
    for child in module.modules():
        if isinstance(child, nn.Conv1d):
            weight_norm(child)


def main():
    torch.manual_seed(57)
    net = nn.Sequential(nn.Conv1d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 1))
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    normalize(net)
    direction = net[0].parametrizations.weight.original1
    start = direction.tolist()
    for step in range(3):
        x = torch.randn(6, 1, 10)
        loss = nn.functional.mse_loss(net(x), x.amax(2))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(step, loss.item())
    assert direction.tolist() == start
    assert direction.grad.any()
    assert net[0].bias in optimizer.state
    assert len(optimizer.state) == 3


if __name__ == "__main__":
    main()
