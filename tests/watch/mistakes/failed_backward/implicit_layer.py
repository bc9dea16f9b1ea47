"""The backward of an equilibrium layer asks for the gradient of a frozen input map.

Expect: failed; *; FixedPoint; # blame
Raises: One of the differentiated Tensors does not require grad
"""

import torch
from torch import nn
from torch.autograd import grad


class FixedPoint(torch.autograd.Function):
    @staticmethod
    def forward(ctx, cell, x, *params):
        z = torch.zeros(len(x), cell.width)
        with torch.no_grad():
            for _ in range(20):
                z = cell(z, x)
        ctx.cell, ctx.params = cell, params
        ctx.save_for_backward(z, x)
        return z

    @staticmethod
    def backward(ctx, gradient):
        z, x = (t.detach().requires_grad_() for t in ctx.saved_tensors)
        with torch.enable_grad():
            f = ctx.cell(z, x)
        adjoint = gradient
        for _ in range(20):
            adjoint = gradient + grad(f, z, adjoint, retain_graph=True)[0]
        dx, *dp = grad(f, [x, *ctx.params], adjoint)  # blame
        return None, dx, *dp


class Cell(nn.Module):
    def __init__(self, inputs, width):
        super().__init__()
        self.width = width
        self.inject = nn.Linear(inputs, width)
        self.hidden = nn.Linear(width, width, bias=False)
        nn.init.orthogonal_(self.hidden.weight, gain=0.3)

    def forward(self, z, x):
        return torch.tanh(self.hidden(z) + self.inject(x))


class Trainer:
    def __init__(self, seed=0):
        torch.manual_seed(seed)
        self.cell = Cell(5, 8)
        self.readout = nn.Linear(8, 1)
        self.cell.inject.requires_grad_(False)  # random features, as in the paper
        trained = [p for p in self.cell.parameters() if p.requires_grad]
        self.optimizer = torch.optim.RMSprop([*trained, *self.readout.parameters()])

    def fit(self, steps):
        for _ in range(steps):
            x = torch.randn(10, 5)
            z = FixedPoint.apply(self.cell, x, *self.cell.parameters())  # blame: apply
            loss = (self.readout(z) - x[:, :1]).abs().mean()
            print("loss", round(loss.item(), 3))
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()


trainer = Trainer()
assert trainer.cell.hidden.weight.requires_grad
assert not trainer.cell.inject.weight.requires_grad
trainer.fit(3)
