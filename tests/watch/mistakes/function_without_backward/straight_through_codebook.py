"""The straight-through function of a VQ-VAE gives its codebook no gradient.

Expect: cut; model.quantizer.codebook.weight; LookUp; # blame
"""

import torch
from torch import nn


class LookUp(torch.autograd.Function):
    @staticmethod
    def forward(z, codes):
        index = torch.cdist(z, codes).argmin(-1)
        return codes[index]

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def backward(ctx, grad):
        return grad, None


class Quantizer(nn.Module):
    def __init__(self, n, width):
        super().__init__()
        self.codebook = nn.Embedding(n, width)

    def forward(self, z):
        return LookUp.apply(z, self.codebook.weight)  # blame


class VQVAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(12, 16), nn.Mish(), nn.Linear(16, 4))
        self.quantizer = Quantizer(8, 4)
        self.decoder = nn.Linear(4, 12)

    def forward(self, x):
        z = self.encoder(x)
        quantized = self.quantizer(z)
        commitment = (z - quantized.detach()).square().mean()
        return self.decoder(quantized), commitment


def train(model, steps):
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0)
    for step in range(steps):
        x = torch.randn(16, 12)
        out, commitment = model(x)
        loss = (out - x).square().mean() + 0.25 * commitment
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        print(f"{step}: {loss.item():.3f}")


torch.manual_seed(8)
model = VQVAE()
train(model, 3)
torch.manual_seed(8)
untrained = VQVAE()
assert torch.equal(model.quantizer.codebook.weight, untrained.quantizer.codebook.weight)
assert not torch.equal(model.encoder[0].weight, untrained.encoder[0].weight)
