"""The latent codes of an auto-decoder are stacked after each of them was detached.

Expect: cut; *codes*; detach(); # blame
"""

import torch
from torch import nn


class Decoder(nn.Module):
    def __init__(self, latent, hidden):
        super().__init__()
        self.first = nn.Linear(latent + 2, hidden)
        self.second = nn.Linear(hidden, hidden)
        self.sdf = nn.Linear(hidden, 1)

    def forward(self, codes, points):
        h = torch.cat([codes, points], -1)
        h = self.second(self.first(h).relu()).relu()
        return self.sdf(h).tanh()


class Shapes:
    def __init__(self, count, latent):
        self.codes = [torch.randn(latent).mul_(0.1) for _ in range(count)]
        for code in self.codes:
            code.requires_grad_()

    def batch(self, indices):
        return torch.stack([self.codes[i].detach() for i in indices])  # blame


def main():
    torch.manual_seed(5)
    shapes, decoder = Shapes(3, 4), Decoder(4, 32)
    first = [code.tolist() for code in shapes.codes]
    optimizer = torch.optim.Adam(decoder.parameters(), lr=5e-4)
    optimizer.add_param_group({"params": shapes.codes, "lr": 1e-3})
    for epoch in range(3):
        indices = torch.randint(3, (20,)).tolist()
        points = torch.rand(20, 2) * 2 - 1
        distance = points.norm(dim=1, keepdim=True) - 0.5
        predicted = decoder(shapes.batch(indices), points)
        loss = (predicted - distance.clamp(-0.1, 0.1)).abs().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print("epoch", epoch, "sdf", loss.item())
    assert [code.tolist() for code in shapes.codes] == first
    assert all(code.grad is None for code in shapes.codes)
    assert decoder.sdf.weight.grad is not None


main()
