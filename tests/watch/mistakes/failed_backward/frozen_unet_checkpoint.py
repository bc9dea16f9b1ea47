"""A hand-written checkpoint asks in its backward for gradients of frozen blocks.

Expect: failed; *; CheckpointFunction; # blame
Raises: One of the differentiated Tensors does not require grad
"""

import torch
from torch import nn


class CheckpointFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx, run_function, length, *args):
        ctx.run_function = run_function
        ctx.input_tensors = list(args[:length])
        ctx.input_params = list(args[length:])
        with torch.no_grad():
            return ctx.run_function(*ctx.input_tensors)

    @staticmethod
    def backward(ctx, *output_grads):
        ctx.input_tensors = [x.detach().requires_grad_(True) for x in ctx.input_tensors]
        with torch.enable_grad():
            shallow_copies = [x.view_as(x) for x in ctx.input_tensors]
            output = ctx.run_function(*shallow_copies)
        wanted = ctx.input_tensors + ctx.input_params
        grads = torch.autograd.grad(output, wanted, output_grads)  # blame
        return None, None, *grads


class ResBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm = nn.GroupNorm(2, channels)
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        inputs = (x, *self.parameters())
        return CheckpointFunction.apply(self._forward, 1, *inputs)  # blame: apply

    def _forward(self, x):
        return x + self.conv(torch.nn.functional.silu(self.norm(x)))


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.hint = nn.Conv2d(1, 4, 1)
        self.middle = nn.Sequential(ResBlock(4), ResBlock(4))
        self.out = nn.Conv2d(4, 1, 1)

    def forward(self, x):
        return self.out(self.middle(self.hint(x)))


torch.manual_seed(23)
unet = UNet()
for parameter in unet.middle.parameters():
    parameter.requires_grad = False
assert not any(p.requires_grad for p in unet.middle.parameters())
optimizer = torch.optim.AdamW(unet.parameters(), lr=1e-4)
for step in range(3):
    noisy, noise = torch.randn(2, 1, 6, 6), torch.randn(2, 1, 6, 6)
    loss = nn.functional.mse_loss(unet(noisy), noise)
    print(step, f"{loss.item():.4f}")
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
