"""The backward of a sampling function returns None for the logits that it got.

Expect: cut; model.gate.*; HardGate; # blame
"""

import torch
from torch import nn


class HardGate(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits, values):
        keep = (torch.rand_like(logits) < logits.sigmoid()).to(values.dtype)
        ctx.save_for_backward(keep)
        return keep * values

    @staticmethod
    def backward(ctx, grad):
        (keep,) = ctx.saved_tensors
        return None, grad * keep


class Gated(nn.Module):
    def __init__(self, inputs=6, width=10):
        super().__init__()
        self.gate = nn.Sequential(nn.Linear(inputs, width), nn.LayerNorm(width))
        self.values = nn.Linear(inputs, width)
        self.out = nn.Linear(width, 1)

    def forward(self, x):
        return self.out(HardGate.apply(self.gate(x), self.values(x)))  # blame


def main():
    torch.manual_seed(11)
    model = Gated().double()
    optimizer = torch.optim.Adagrad(model.parameters(), lr=0.05)
    for _ in range(5):
        x = torch.rand(20, 6, dtype=torch.float64)
        loss = nn.functional.smooth_l1_loss(model(x).squeeze(1), x.prod(1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(loss.item())
    assert all(p.grad is None for p in model.gate.parameters())
    assert all(p.grad is not None for p in model.values.parameters())
    torch.manual_seed(11)
    start = Gated().double()
    assert torch.equal(start.gate[0].weight, model.gate[0].weight)
    assert not torch.equal(start.values.weight, model.values.weight)


if __name__ == "__main__":
    main()
