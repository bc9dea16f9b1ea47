"""A backbone is unfrozen block by block, one more after each epoch."""

import hashlib

import torch
from torch import nn

torch.manual_seed(111)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer1 = nn.Sequential(nn.Linear(6, 10), nn.ReLU())
        self.layer2 = nn.Sequential(nn.Linear(10, 10), nn.ReLU())
        self.fc = nn.Linear(10, 3)

    def forward(self, x):
        return self.fc(self.layer2(self.layer1(x)))


model = Net()
schedule = {0: ["fc"], 1: ["layer2"], 2: ["layer1"]}
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
model.requires_grad_(False)
unfrozen = set()
for epoch in range(3):
    for name in schedule[epoch]:
        getattr(model, name).requires_grad_(True)
        unfrozen.add(name)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    for _ in range(4):
        x = torch.randn(16, 6)
        loss = nn.functional.cross_entropy(model(x), x[:, 3:].argmax(1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(epoch, repr(loss.item()))
    for name, p in model.named_parameters():
        moved = not torch.equal(p, before[name])
        assert moved == (name.split(".")[0] in unfrozen), name

digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in model.parameters():
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
