"""Both optimizers of a GAN were built from the discriminator, by copy and paste.

Expect: not in optimizer; net_g.*; gets a gradient that nobody applies;
"""

import torch
from torch import nn, optim

torch.manual_seed(999)
nz, ngf = 4, 8
net_g = nn.Sequential(
    nn.Linear(nz, ngf), nn.LayerNorm(ngf), nn.ReLU(True), nn.Linear(ngf, 3)
)
net_d = nn.Sequential(nn.Linear(3, 8), nn.LeakyReLU(0.2, inplace=True), nn.Linear(8, 1))
start = [p.tolist() for p in net_g.parameters()]
optimizer_d = optim.Adam(net_d.parameters(), lr=2e-4, betas=(0.5, 0.999))
optimizer_g = optim.Adam(net_d.parameters(), lr=2e-4, betas=(0.5, 0.999))
mse = nn.MSELoss()
for epoch in range(2):
    for i in range(2):
        net_d.zero_grad()
        real, noise = torch.rand(16, 3), torch.randn(16, nz)
        real_error = mse(net_d(real), torch.ones(16, 1))
        real_error.backward()
        fake = net_g(noise)
        fake_error = mse(net_d(fake.detach()), torch.zeros(16, 1))
        fake_error.backward()
        optimizer_d.step()

        net_g.zero_grad()
        error_g = mse(net_d(fake), torch.ones(16, 1))
        error_g.backward()
        optimizer_g.step()
        error_d = (real_error + fake_error).item()
        print(f"[{epoch}][{i}] {error_d:.3f} {error_g.item():.3f}")
assert [p.tolist() for p in net_g.parameters()] == start
assert all(p.grad.any() for p in net_g.parameters())
