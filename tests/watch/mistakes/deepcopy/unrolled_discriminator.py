"""An unrolled GAN trains copies of its discriminator, and never the original.

Expect: cut; discriminator.*; copy.deepcopy() made other parameters; # blame
"""

import copy

import torch
from torch import nn

torch.manual_seed(6)
generator = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
discriminator = nn.Sequential(
    nn.Linear(2, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1), nn.Flatten(0)
)
optimizer_g = torch.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.999))
optimizer_d = torch.optim.Adam(discriminator.parameters(), lr=1e-4)
criterion = nn.BCEWithLogitsLoss()
start_d = discriminator[0].weight.tolist()
start_g = generator[0].weight.tolist()
unroll = 2
for i in range(3):
    unrolled = copy.deepcopy(discriminator)  # blame
    steps = torch.optim.Adam(unrolled.parameters(), lr=1e-4)
    for _ in range(unroll):
        real = torch.randn(32, 2) + 2
        fake = generator(torch.randn(32, 4)).detach()
        loss_d = criterion(unrolled(real), torch.ones(32))
        loss_d += criterion(unrolled(fake), torch.zeros(32))
        steps.zero_grad()
        loss_d.backward()
        steps.step()
    optimizer_d.step()
    optimizer_d.zero_grad()

    loss_g = criterion(unrolled(generator(torch.randn(32, 4))), torch.ones(32))
    optimizer_g.zero_grad()
    loss_g.backward()
    optimizer_g.step()
    print(f"[{i}] D {loss_d.item():.3f} G {loss_g.item():.3f}")
assert discriminator[0].weight.tolist() == start_d
assert discriminator[0].weight.grad is None
assert generator[0].weight.tolist() != start_g
