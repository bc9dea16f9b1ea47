"""A density of 1000 is learned with a rate that float32 cannot add to such a number.

Expect: still; *density; rounded away;
"""

import torch
from torch import nn


class Fluid(nn.Module):
    def __init__(self):
        super().__init__()
        self.velocity = nn.Sequential(nn.Linear(2, 24), nn.Tanh(), nn.Linear(24, 1))
        self.density = nn.Parameter(torch.tensor(1000.0))
        self.viscosity = nn.Parameter(torch.tensor(0.01))

    def residual(self, points):
        points = points.requires_grad_()
        u = self.velocity(points)
        (du,) = torch.autograd.grad(u.sum(), points, create_graph=True)
        (d2u,) = torch.autograd.grad(du[:, 0].sum(), points, create_graph=True)
        inertia = self.density * (du[:, 1] + u[:, 0] * du[:, 0]) / 1000
        return inertia - self.viscosity * d2u[:, 0]


def train(fluid, iterations, lr):
    optimizer = torch.optim.Adam(fluid.parameters(), lr=lr)
    for iteration in range(iterations):
        optimizer.zero_grad()
        physics = fluid.residual(torch.rand(40, 2)).square().mean()
        border = torch.stack([torch.rand(10), torch.zeros(10)], 1)
        wanted = torch.sin(torch.pi * border[:, :1])
        data = (fluid.velocity(border) - wanted).square().mean()
        (physics + data).backward()
        optimizer.step()
        print(iteration, physics.item(), data.item())


if __name__ == "__main__":
    torch.manual_seed(31)
    fluid = Fluid()
    train(fluid, iterations=5, lr=1e-5)
    assert fluid.density.item() == 1000
    assert fluid.density.grad != 0
    assert fluid.viscosity.item() != torch.tensor(0.01).item()
