"""The moments of Adam go on moving the layers that a schedule has frozen.

Expect: moves; *layers.0.*; momentum;
"""

import torch
from torch import nn


class FreezeOut:
    def __init__(self, network, last_steps):
        self.network, self.last_steps = network, last_steps

    def apply(self, step):
        for layer, last in zip(self.network.layers, self.last_steps, strict=True):
            if step == last:
                for parameter in layer.parameters():
                    parameter.requires_grad = False


class Network(nn.Module):
    def __init__(self, width=6):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(3))

    def forward(self, x):
        for layer in self.layers:
            x = torch.tanh(layer(x))
        return x


def main():
    torch.manual_seed(63)
    network = Network()
    schedule = FreezeOut(network, [1, 50, 90])
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    seen = []
    for step in range(4):
        schedule.apply(step)
        optimizer.zero_grad(set_to_none=False)
        x = torch.randn(12, 6)
        loss = (network(x) - x.roll(1, 1)).square().mean()
        loss.backward()
        optimizer.step()
        seen.append(network.layers[0].weight.sum().item())
        print(step, loss.item())
    assert not network.layers[0].weight.requires_grad
    assert len(set(seen)) == 4


if __name__ == "__main__":
    main()
