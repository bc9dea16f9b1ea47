"""DataParallel without a GPU calls its module directly, and training goes on."""

import hashlib

import torch
from torch import nn

torch.manual_seed(166)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(4, 8)
        self.fc2 = nn.Linear(8, 2)

    def forward(self, x):
        return self.fc2(torch.relu(self.fc1(x)))


model = nn.DataParallel(Net())
optimizer = torch.optim.Adamax(model.module.parameters(), lr=1e-2)
before = [p.detach().clone() for p in model.parameters()]
for step in range(6):
    x = torch.randn(16, 4)
    loss = nn.functional.cross_entropy(model(x), (x[:, 1] > 0).long())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, repr(loss.item()))

assert not any(map(torch.equal, before, model.parameters()))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in model.module.parameters():
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
