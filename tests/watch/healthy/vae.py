"""A VAE reparametrises its samples, and the weight of its KL term starts at zero."""

import hashlib

import torch
from torch import nn

torch.manual_seed(150)


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(12, 16)
        self.fc21 = nn.Linear(16, 3)
        self.fc22 = nn.Linear(16, 3)
        self.fc3 = nn.Linear(3, 16)
        self.fc4 = nn.Linear(16, 12)

    def encode(self, x):
        h1 = torch.relu(self.fc1(x))
        return self.fc21(h1), self.fc22(h1)

    def reparameterize(self, mu, logvar):
        std = torch.exp(0.5 * logvar)
        return mu + torch.randn_like(std) * std

    def decode(self, z):
        return torch.sigmoid(self.fc4(torch.relu(self.fc3(z))))

    def forward(self, x):
        mu, logvar = self.encode(x)
        return self.decode(self.reparameterize(mu, logvar)), mu, logvar


def loss_function(recon_x, x, mu, logvar, beta):
    bce = nn.functional.binary_cross_entropy(recon_x, x, reduction="sum")
    kld = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return bce + beta * kld


model = VAE()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
before = {name: p.detach().clone() for name, p in model.named_parameters()}
for step in range(6):
    model.train()
    data = (torch.rand(16, 12) > 0.5).float()
    recon, mu, logvar = model(data)
    loss = loss_function(recon, data, mu, logvar, beta=step / 6)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, repr(loss.item() / len(data)))
    with torch.no_grad():
        sample = model.decode(torch.randn(4, 3))
print("sample", repr(sample.mean().item()))

for name, p in model.named_parameters():
    assert not torch.equal(p, before[name]), name
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in model.parameters():
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
