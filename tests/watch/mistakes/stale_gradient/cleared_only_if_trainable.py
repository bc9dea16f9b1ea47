"""Gradients are cleared only of what requires grad, so those of a frozen part remain.

Expect: moves; net.encoder.*; its stale .grad is applied by step();
"""

import torch
from torch import nn


class Segmenter(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Conv2d(1, 6, 3, padding=1)
        self.decoder = nn.ConvTranspose2d(6, 2, 3, padding=1)

    def forward(self, x):
        return self.decoder(nn.functional.leaky_relu(self.encoder(x)))


def clear(net):
    for parameter in net.parameters():
        if parameter.requires_grad:
            parameter.grad = None


def main(epochs=4):
    torch.manual_seed(6)
    net = Segmenter()
    optimizer = torch.optim.RMSprop(net.parameters(), lr=1e-2)
    for epoch in range(epochs):
        if epoch == 1:
            net.encoder.requires_grad_(False)
            frozen = net.encoder.weight.tolist()
        clear(net)
        image = torch.rand(4, 1, 6, 6)
        target = (image[:, 0] > 0.6).long()
        loss = nn.functional.cross_entropy(net(image), target)
        loss.backward()
        optimizer.step()
        print(epoch, loss.item())
    assert net.encoder.weight.tolist() != frozen
    assert net.encoder.weight.grad.any()


if __name__ == "__main__":
    main()
