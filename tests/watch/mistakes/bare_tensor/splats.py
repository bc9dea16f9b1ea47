"""Splats are parameters in a plain dict, and their opacity is thresholded.

Expect: cut; *opacity*; gt() is not differentiable; # blame
"""

import torch
from torch import nn


def render(splats, pixels):
    distance = torch.cdist(pixels, splats["xyz"])
    radius = splats["scaling"].exp().T
    visible = (splats["opacity"].sigmoid() > 0.4).float()  # blame
    weight = torch.exp(-((distance / radius) ** 2)) * visible.T
    return weight @ splats["features"]


torch.manual_seed(9)
n = 12
splats = {
    "xyz": nn.Parameter(torch.rand(n, 2)),
    "features": nn.Parameter(torch.rand(n, 3)),
    "opacity": nn.Parameter(torch.randn(n, 1)),
    "scaling": nn.Parameter(torch.full((n, 1), -1.0)),
}
rates = {"xyz": 1.6e-3, "features": 2.5e-3, "opacity": 5e-2, "scaling": 5e-3}
groups = [{"params": [splats[k]], "lr": lr, "name": k} for k, lr in rates.items()]
optimizer = torch.optim.Adam(groups, lr=0.0, eps=1e-15)
grid = torch.cartesian_prod(torch.linspace(0, 1, 8), torch.linspace(0, 1, 8))
image = grid.prod(1, keepdim=True).expand(-1, 3)
opacity = splats["opacity"].sum().item()
for iteration in range(5):
    loss = (render(splats, grid) - image).abs().mean()
    loss.backward()
    with torch.no_grad():
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    print(iteration, loss.item())
assert splats["opacity"].sum().item() == opacity
assert splats["opacity"] not in optimizer.state
assert splats["scaling"] in optimizer.state
