"""A codebook learns from a loss of its own, with the straight-through estimator."""

import hashlib

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(109)


class VectorQuantizer(nn.Module):
    def __init__(self, n_e=8, e_dim=4, beta=0.25):
        super().__init__()
        self.beta = beta
        self.embedding = nn.Embedding(n_e, e_dim)
        self.embedding.weight.data.uniform_(-1.0, 1.0)

    def forward(self, z):
        d = (
            z.pow(2).sum(1, keepdim=True)
            + self.embedding.weight.pow(2).sum(1)
            - 2 * z @ self.embedding.weight.t()
        )
        indices = torch.argmin(d, dim=1)
        z_q = self.embedding(indices)
        loss = F.mse_loss(z_q, z.detach()) + self.beta * F.mse_loss(z, z_q.detach())
        perplexity = F.one_hot(indices, d.shape[1]).float().mean(0)
        perplexity = torch.exp(-(perplexity * (perplexity + 1e-10).log()).sum())
        return z + (z_q - z).detach(), loss, perplexity


encoder, decoder = nn.Linear(6, 4), nn.Linear(4, 6)
quantizer = VectorQuantizer()
model = nn.ModuleList([encoder, quantizer, decoder])
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
before = [p.detach().clone() for p in model.parameters()]
for step in range(6):
    x = torch.randn(32, 6)
    z_q, vq_loss, perplexity = quantizer(encoder(x))
    loss = F.mse_loss(decoder(z_q), x) + vq_loss
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, repr(loss.item()), repr(perplexity.item()))

assert not any(map(torch.equal, before, model.parameters()))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in model.parameters():
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
