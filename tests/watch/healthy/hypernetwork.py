"""A hypernetwork makes the weights of another network, which has none of its own."""

import hashlib

import torch
from torch import nn
from torch.func import functional_call

torch.manual_seed(161)


class HyperNetwork(nn.Module):
    def __init__(self, target, embedding=4):
        super().__init__()
        self.shapes = {name: p.shape for name, p in target.named_parameters()}
        self.tasks = nn.Embedding(3, embedding)
        total = sum(shape.numel() for shape in self.shapes.values())
        self.body = nn.Sequential(
            nn.Linear(embedding, 16), nn.ReLU(), nn.Linear(16, total)
        )

    def forward(self, task):
        flat = self.body(self.tasks(task))
        pieces = flat.split([shape.numel() for shape in self.shapes.values()])
        return {
            name: piece.view(shape)
            for (name, shape), piece in zip(self.shapes.items(), pieces, strict=True)
        }


with torch.device("meta"):
    target = nn.Sequential(nn.Linear(2, 6), nn.Tanh(), nn.Linear(6, 1))
hyper = HyperNetwork(target)
optimizer = torch.optim.Adam(hyper.parameters(), lr=1e-2)
before = [p.detach().clone() for p in hyper.parameters()]
for step in range(6):
    loss = 0.0
    for task in torch.arange(3):
        x = torch.randn(16, 2)
        y = (x * (task + 1)).sin().sum(1, keepdim=True)
        prediction = functional_call(target, hyper(task), (x,))
        loss = loss + (prediction - y).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, repr(loss.item()))

assert not any(map(torch.equal, before, hyper.parameters()))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in hyper.parameters():
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
