"""Each layer has its own loss and optimizer, and detached inputs by design."""

import hashlib
from itertools import pairwise

import torch
from torch import nn

torch.manual_seed(155)


class Layer(nn.Linear):
    def __init__(self, inputs, outputs):
        super().__init__(inputs, outputs)
        self.opt = torch.optim.Adam(self.parameters(), lr=0.03)
        self.threshold = 2.0

    def forward(self, x):
        direction = x / (x.norm(2, 1, keepdim=True) + 1e-4)
        return torch.relu(direction @ self.weight.T + self.bias)

    def train_on(self, x_pos, x_neg):
        g_pos = self(x_pos).pow(2).mean(1)
        g_neg = self(x_neg).pow(2).mean(1)
        margins = torch.cat([self.threshold - g_pos, g_neg - self.threshold])
        loss = nn.functional.softplus(margins).mean()
        self.opt.zero_grad()
        loss.backward()
        self.opt.step()
        print("  ", repr(loss.item()))
        return self(x_pos).detach(), self(x_neg).detach()


class Net:
    def __init__(self, sizes):
        self.layers = [Layer(a, b) for a, b in pairwise(sizes)]

    def train(self, x_pos, x_neg):
        for i, layer in enumerate(self.layers):
            print("layer", i)
            x_pos, x_neg = layer.train_on(x_pos, x_neg)


net = Net([8, 16, 16])
weights = [p for layer in net.layers for p in layer.parameters()]
before = [p.detach().clone() for p in weights]
for _ in range(5):
    positive = torch.rand(16, 8)
    net.train(positive, positive[torch.randperm(16)] * torch.randn(16, 8))

assert not any(map(torch.equal, before, weights))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in weights:
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
