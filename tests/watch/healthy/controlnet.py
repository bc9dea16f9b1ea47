"""A ControlNet steers a frozen network through convolutions that start at zero."""

import copy
import hashlib

import torch
from torch import nn

torch.manual_seed(82)


def zero_module(module):
    for p in module.parameters():
        p.detach().zero_()
    return module


class UNet(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.input = nn.Conv2d(1, width, 3, padding=1)
        self.block = nn.Sequential(nn.SiLU(), nn.Conv2d(width, width, 3, padding=1))
        self.output = nn.Conv2d(width, 1, 3, padding=1)

    def forward(self, x, control=0.0):
        return self.output(self.block(self.input(x)) + control)


class ControlNet(nn.Module):
    def __init__(self, unet, width=4):
        super().__init__()
        self.hint = nn.Conv2d(1, 3, 3, padding=1)
        self.zero_in = zero_module(nn.Conv2d(3, width, 1))
        self.input = copy.deepcopy(unet.input)
        self.block = copy.deepcopy(unet.block)
        self.zero_out = zero_module(nn.Conv2d(width, width, 1))

    def forward(self, x, hint):
        h = self.input(x) + self.zero_in(torch.relu(self.hint(hint)))
        return self.zero_out(self.block(h))


unet = UNet()
controlnet = ControlNet(unet)
unet.requires_grad_(False)
unet.eval()
optimizer = torch.optim.AdamW(controlnet.parameters(), lr=1e-2)
fixed = [p.clone() for p in unet.parameters()]
before = {name: p.detach().clone() for name, p in controlnet.named_parameters()}
for step in range(6):
    image = torch.randn(4, 1, 8, 8)
    noise = torch.randn_like(image)
    noisy = image + noise
    prediction = unet(noisy, controlnet(noisy, (image > 0).float()))
    loss = nn.functional.mse_loss(prediction, noise)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    print(step, repr(loss.item()))

for name, p in controlnet.named_parameters():
    assert not torch.equal(p, before[name]), name
assert all(map(torch.equal, fixed, unet.parameters()))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for value in [*controlnet.state_dict().values(), *unet.state_dict().values()]:
    digest.update(value.numpy().tobytes())
print("digest", digest.hexdigest())
