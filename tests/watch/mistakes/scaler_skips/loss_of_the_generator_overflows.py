"""The loss of a generator overflows in float16, and the scaler skips each of its steps.

Expect: still; generator.*; skipped by the scaler;
"""

import torch
from torch import nn
from torch.amp import GradScaler, autocast

torch.manual_seed(0)
generator = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 9))
critic = nn.Sequential(nn.Linear(9, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
optimizer_g = torch.optim.Adam(generator.parameters(), lr=2e-4)
optimizer_c = torch.optim.Adam(critic.parameters(), lr=2e-4)
scaler = GradScaler("cpu", init_scale=2.0**10)
start = generator[0].weight.tolist()
for i in range(3):
    real, z = torch.rand(8, 9), torch.randn(8, 4)
    with autocast("cpu", torch.float16):
        fake = generator(z)
    loss_c = nn.functional.softplus(-critic(real)) + nn.functional.softplus(
        critic(fake.float().detach())
    )
    optimizer_c.zero_grad()
    loss_c.mean().backward()
    optimizer_c.step()

    with autocast("cpu", torch.float16):
        content = (255 * (generator(z) - real.half())).square().sum()
        loss_g = content - critic(generator(z)).mean()
    optimizer_g.zero_grad()
    scaler.scale(loss_g).backward()
    scaler.step(optimizer_g)
    scaler.update()
    print(i, loss_c.mean().item(), loss_g.item(), scaler.get_scale())
assert generator[0].weight.tolist() == start
assert scaler.get_scale() == 2.0**7
assert not generator[2].weight.grad.isfinite().all()
