"""A heat equation is fitted by LBFGS with a closure and a line search; all trains."""

import torch
from torch import nn


class Heat:
    def __init__(self):
        self.net = nn.Sequential(nn.Linear(2, 12), nn.Tanh(), nn.Linear(12, 1))
        self.conductivity = nn.Parameter(torch.tensor(0.5))
        self.points = torch.rand(50, 2)
        self.calls = 0

    def loss(self):
        points = self.points.clone().requires_grad_()
        u = self.net(points)
        (du,) = torch.autograd.grad(u.sum(), points, create_graph=True)
        (ddu,) = torch.autograd.grad(du[:, 0].sum(), points, create_graph=True)
        residual = du[:, 1] - self.conductivity * ddu[:, 0]
        start = torch.stack([self.points[:, 0], torch.zeros(50)], 1)
        border = self.net(start)[:, 0] - torch.sin(torch.pi * start[:, 0])
        return residual.square().mean() + border.square().mean()

    def solve(self, steps):
        optimizer = torch.optim.LBFGS(
            [*self.net.parameters(), self.conductivity],
            lr=0.5,
            max_iter=5,
            line_search_fn="strong_wolfe",
        )

        def closure():
            self.calls += 1
            optimizer.zero_grad()
            loss = self.loss()
            loss.backward()
            return loss

        for step in range(steps):
            value = optimizer.step(closure)
            print(step, value.item(), self.calls)


torch.manual_seed(0)
heat = Heat()
start = [p.tolist() for p in heat.net.parameters()]
heat.solve(3)
assert all(p.tolist() != q for p, q in zip(heat.net.parameters(), start, strict=True))
assert heat.conductivity.item() != 0.5
