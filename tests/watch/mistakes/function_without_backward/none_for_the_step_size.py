"""A learned quantizer returns None for its step size, which therefore never trains.

Expect: cut; net.*.step_size; Quantize; # blame
"""

import torch
import torch.nn.functional as F
from torch import nn


class Quantize(torch.autograd.Function):
    @staticmethod
    def forward(ctx, weight, step_size, bits):
        ctx.bound = 2 ** (bits - 1) - 1
        ctx.save_for_backward(weight, step_size)
        return (weight / step_size).round().clamp(-ctx.bound, ctx.bound) * step_size

    @staticmethod
    def backward(ctx, grad):
        weight, step_size = ctx.saved_tensors
        inside = (weight / step_size).abs() <= ctx.bound
        return grad * inside, None, None


class QuantLinear(nn.Linear):
    def __init__(self, *sizes, bits=4):
        super().__init__(*sizes)
        self.bits = bits
        self.step_size = nn.Parameter(self.weight.detach().abs().mean() / 4)

    def forward(self, x):
        weight = Quantize.apply(self.weight, self.step_size, self.bits)  # blame
        return F.linear(x, weight, self.bias)


torch.manual_seed(3)
net = nn.Sequential(QuantLinear(8, 16), nn.Hardtanh(), QuantLinear(16, 4, bits=3))
sizes = [net[0].step_size.item(), net[2].step_size.item()]
optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, nesterov=True)
for _ in range(4):
    x = torch.randn(64, 8)
    loss = F.cross_entropy(net(x), x[:, :4].argmax(1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print("loss", loss.item())
assert [net[0].step_size.item(), net[2].step_size.item()] == sizes
assert net[0].step_size.grad is None
assert net[0].weight.grad.abs().sum() > 0
