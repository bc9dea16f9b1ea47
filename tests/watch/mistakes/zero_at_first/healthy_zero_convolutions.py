"""A control branch lies between convolutions of zeros, and all of it trains soon."""

import copy

import torch
from torch import nn


def zero_module(module):
    for parameter in module.parameters():
        parameter.detach().zero_()
    return module


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(2, 6, 3, padding=1)
        self.second = nn.Conv2d(6, 6, 3, padding=1)

    def forward(self, x, hint=0):
        return self.second(nn.functional.silu(self.first(x) + hint))


class ControlNet(nn.Module):
    def __init__(self, encoder):
        super().__init__()
        self.copy = copy.deepcopy(encoder)
        self.zero_in = zero_module(nn.Conv2d(1, 6, 1))
        self.zero_out = zero_module(nn.Conv2d(6, 6, 1))

    def forward(self, x, hint):
        return self.zero_out(self.copy(x, self.zero_in(hint)))


torch.manual_seed(30)
encoder, decoder = Encoder(), nn.Conv2d(6, 2, 3, padding=1)
control = ControlNet(encoder)
encoder.requires_grad_(False)
decoder.requires_grad_(False)
optimizer = torch.optim.Adam(control.parameters(), lr=1e-3)
start = [p.sum().item() for p in control.parameters()]
for step in range(3):
    image, hint = torch.randn(2, 2, 8, 8), torch.rand(2, 1, 8, 8).round()
    predicted = decoder(encoder(image) + control(image, hint))
    loss = nn.functional.mse_loss(predicted, torch.randn(2, 2, 8, 8))
    loss.backward()
    print(step, [bool(p.grad.any()) for p in control.parameters()])
    optimizer.step()
    optimizer.zero_grad()
for before, parameter in zip(start, control.parameters(), strict=True):
    assert parameter.sum().item() != before
