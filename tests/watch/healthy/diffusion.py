"""A denoising diffusion model predicts noise, and an average of it draws samples."""

import copy
import hashlib
import math

import torch
from torch import nn

torch.manual_seed(110)


class NoisePredictor(nn.Module):
    def __init__(self, dim=16):
        super().__init__()
        self.dim = dim
        self.time_mlp = nn.Sequential(
            nn.Linear(dim, dim), nn.SiLU(), nn.Linear(dim, dim)
        )
        self.inputs = nn.Linear(2, dim)
        self.middle = nn.Sequential(nn.SiLU(), nn.Linear(dim, dim), nn.SiLU())
        self.out = nn.Linear(dim, 2)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def embed(self, t):
        half = self.dim // 2
        freqs = torch.exp(-math.log(10000) * torch.arange(half) / half)
        args = t[:, None].float() * freqs[None]
        return torch.cat([torch.cos(args), torch.sin(args)], dim=-1)

    def forward(self, x, t):
        return self.out(self.middle(self.inputs(x) + self.time_mlp(self.embed(t))))


class GaussianDiffusion:
    def __init__(self, model, timesteps=20):
        self.model = model
        self.timesteps = timesteps
        self.betas = torch.linspace(1e-3, 0.2, timesteps)
        self.alphas_cumprod = torch.cumprod(1 - self.betas, dim=0)

    def p_losses(self, x_start):
        t = torch.randint(self.timesteps, (len(x_start),))
        noise = torch.randn_like(x_start)
        a = self.alphas_cumprod[t][:, None]
        x_noisy = a.sqrt() * x_start + (1 - a).sqrt() * noise
        return nn.functional.mse_loss(self.model(x_noisy, t), noise)

    @torch.no_grad()
    def sample(self, net, n):
        x = torch.randn(n, 2)
        for i in reversed(range(self.timesteps)):
            a, beta = self.alphas_cumprod[i], self.betas[i]
            eps = net(x, torch.full((n,), i))
            x = (x - beta / (1 - a).sqrt() * eps) / (1 - beta).sqrt()
            if i:
                x = x + beta.sqrt() * torch.randn_like(x)
        return x


diffusion = GaussianDiffusion(NoisePredictor())
model = diffusion.model
ema = copy.deepcopy(model).requires_grad_(False)
opt = torch.optim.AdamW(model.parameters(), lr=3e-3)
before = {name: p.detach().clone() for name, p in model.named_parameters()}
for step in range(6):
    loss = diffusion.p_losses(torch.randn(32, 2) * 0.1 + torch.tensor([1.0, -1.0]))
    opt.zero_grad()
    loss.backward()
    opt.step()
    with torch.no_grad():
        for p_ema, p in zip(ema.parameters(), model.parameters(), strict=True):
            p_ema.lerp_(p, 0.1)
    print(step, repr(loss.item()))
samples = diffusion.sample(ema, 4)

for net in (model, ema):
    for name, p in net.named_parameters():
        assert not torch.equal(p, before[name]), name
digest = hashlib.sha256(torch.get_rng_state().numpy())
for value in [*model.state_dict().values(), *ema.state_dict().values(), samples]:
    digest.update(value.numpy().tobytes())
print("digest", digest.hexdigest())
