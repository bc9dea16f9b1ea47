"""The gradient penalty of a critic has no graph: create_graph=True is missing.

Note: gives no gradient: grad() without create_graph=True
"""

import torch
from torch import nn

torch.manual_seed(86)
critic = nn.Sequential(nn.Linear(2, 16), nn.Softplus(), nn.Linear(16, 1))
optimizer = torch.optim.Adam(critic.parameters(), lr=0.001)
for _ in range(5):
    real, fake = torch.randn(8, 2), torch.randn(8, 2) + 3
    loss = critic(fake).mean() - critic(real).mean()
    mixed = (0.3 * real + 0.7 * fake).requires_grad_()
    (slope,) = torch.autograd.grad(critic(mixed).sum(), mixed)
    loss = loss + 10 * (slope.norm(dim=1) - 1).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
