"""A VQ-VAE copies gradients past its codebook, which follows by averages."""

import hashlib

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(108)


class Quantize(nn.Module):
    def __init__(self, dim, n_embed, decay=0.9, eps=1e-5):
        super().__init__()
        self.decay, self.eps = decay, eps
        embed = torch.randn(n_embed, dim)
        self.register_buffer("embed", embed)
        self.register_buffer("cluster_size", torch.zeros(n_embed))
        self.register_buffer("embed_avg", embed.clone())

    def forward(self, z):
        ind = torch.cdist(z, self.embed).argmin(1)
        quantize = F.embedding(ind, self.embed)
        if self.training:
            onehot = F.one_hot(ind, len(self.embed)).type(z.dtype)
            self.cluster_size.data.mul_(self.decay).add_(
                onehot.sum(0), alpha=1 - self.decay
            )
            self.embed_avg.data.mul_(self.decay).add_(
                onehot.T @ z.detach(), alpha=1 - self.decay
            )
            n = self.cluster_size.sum()
            size = (self.cluster_size + self.eps) / (n + len(self.embed) * self.eps) * n
            self.embed.data.copy_(self.embed_avg / size[:, None])
        diff = (quantize.detach() - z).pow(2).mean()
        return z + (quantize - z).detach(), diff


class VQVAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc = nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 4))
        self.quantize = Quantize(4, 8)
        self.dec = nn.Sequential(nn.Linear(4, 12), nn.ReLU(), nn.Linear(12, 6))

    def forward(self, x):
        quant, diff = self.quantize(self.enc(x))
        return self.dec(quant), diff


model = VQVAE()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
before = {name: value.clone() for name, value in model.state_dict().items()}
for step in range(6):
    x = torch.randn(32, 6)
    out, latent_loss = model(x)
    loss = F.mse_loss(out, x) + 0.25 * latent_loss
    model.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, repr(loss.item()))

for name, value in model.state_dict().items():
    assert not torch.equal(value, before[name]), name
digest = hashlib.sha256(torch.get_rng_state().numpy())
for value in model.state_dict().values():
    digest.update(value.numpy().tobytes())
print("digest", digest.hexdigest())
