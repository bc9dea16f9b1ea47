"""The compositing of a radiance field is a custom function without a backward.

Expect: cut; model.density.*; Composite has no backward; # blame
Allow: failed; *; Composite; # blame
Raises: You must implement either the backward or vjp method
"""

import torch
from torch import nn


class Composite(torch.autograd.Function):
    @staticmethod
    def forward(ctx, sigma, delta):
        alpha = 1 - torch.exp(-sigma * delta)
        passing = torch.cumprod(torch.cat([torch.ones(1), 1 - alpha[:-1]]), 0)
        return alpha * passing


class Field(nn.Module):
    def __init__(self):
        super().__init__()
        self.density = nn.Sequential(nn.Linear(3, 16), nn.Softplus(), nn.Linear(16, 1))
        self.colour = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 3))

    def forward(self, points):
        sigma = self.density(points).squeeze(-1).exp()
        weights = Composite.apply(sigma, 0.05)  # blame
        return (weights[:, None] * self.colour(points).sigmoid()).sum(0)


torch.manual_seed(2)
model = Field()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-4, eps=1e-15)
for i in range(3):
    ray = torch.linspace(0, 1, 24)[:, None] * torch.randn(3)
    loss = (model(ray) - torch.tensor([0.2, 0.4, 0.6])).square().sum()
    print("iteration", i, "loss", float(loss))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
