"""The optimizer got what required grad at the start, and the rest is unfrozen later.

Expect: not in optimizer; *backbone.*; gets a gradient that nobody applies;
"""

import torch
from torch import nn


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(5, 8), nn.Tanh())
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        return self.head(self.backbone(x))


class Gradual:
    def __init__(self, unfreeze_at):
        self.network = Network()
        self.network.backbone.requires_grad_(False)
        trainable = filter(lambda p: p.requires_grad, self.network.parameters())
        self.optimizer = torch.optim.Adam(trainable, lr=1e-3)
        self.unfreeze_at = unfreeze_at

    def fit(self, epochs):
        for epoch in range(epochs):
            if epoch == self.unfreeze_at:
                self.network.backbone.requires_grad_(True)
            x = torch.randn(12, 5)
            loss = nn.functional.cross_entropy(self.network(x), (x[:, 1] > 0).long())
            self.network.zero_grad()
            loss.backward()
            self.optimizer.step()
            print(epoch, loss.item())


torch.manual_seed(0)
gradual = Gradual(unfreeze_at=1)
start = gradual.network.backbone[0].weight.tolist()
gradual.fit(epochs=4)
assert gradual.network.backbone[0].weight.tolist() == start
assert gradual.network.backbone[0].weight.grad.any()
