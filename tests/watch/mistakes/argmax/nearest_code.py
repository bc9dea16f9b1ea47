"""An encoder is decoded from the nearest code alone, without a straight-through sum.

Expect: cut; *encoder.*; argmin() is not differentiable; # blame
"""

import torch
from torch import nn


class Autoencoder(nn.Module):
    def __init__(self, codes=8, width=4):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(9, 12), nn.ELU(), nn.Linear(12, width))
        self.codebook = nn.Embedding(codes, width)
        self.decoder = nn.Linear(width, 9)

    def quantize(self, z):
        with torch.no_grad():
            weight = self.codebook.weight.clone()
        distance = torch.cdist(z, weight)
        nearest = distance.argmin(1)  # blame
        return self.codebook(nearest)

    def forward(self, x):
        return self.decoder(self.quantize(self.encoder(x)))


def main():
    torch.manual_seed(49)
    model = Autoencoder()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0)
    encoder = model.encoder[0].weight.tolist()
    codes = model.codebook.weight.tolist()
    for step in range(4):
        x = torch.randn(20, 9)
        loss = nn.functional.mse_loss(model(x), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(step, loss.item())
    assert model.encoder[0].weight.tolist() == encoder
    assert model.encoder[2].bias.grad is None
    assert model.codebook.weight.tolist() != codes


main()
