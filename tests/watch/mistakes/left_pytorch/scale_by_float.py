"""The scale of a kernel is passed to a function that takes a Python float.

Expect: unused; kernel.log_scale; its result left PyTorch by float(); # blame
"""

import torch
from torch import nn


def rbf(a, b, scale: float):
    return torch.exp(-torch.cdist(a, b).square() / (2 * scale**2))


class Kernel(nn.Module):
    def __init__(self, points):
        super().__init__()
        self.centers = nn.Parameter(torch.randn(points, 2))
        self.weights = nn.Parameter(torch.zeros(points))
        self.log_scale = nn.Parameter(torch.zeros(()))
        nn.init.normal_(self.weights)

    def forward(self, x):
        scale = float(self.log_scale.exp())  # blame
        return rbf(x, self.centers, scale) @ self.weights


torch.manual_seed(88)
kernel = Kernel(12).double()
optimizer = torch.optim.LBFGS(kernel.parameters(), lr=0.1, max_iter=3)
x = torch.randn(40, 2, dtype=torch.float64)


def closure():
    optimizer.zero_grad()
    loss = (kernel(x) - x.prod(1)).square().mean()
    loss.backward()
    return loss


for step in range(3):
    print(step, optimizer.step(closure).item())
assert kernel.log_scale.item() == 0
assert kernel.log_scale.grad is None
assert kernel.centers.grad.any()
