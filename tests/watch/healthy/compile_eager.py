"""A compiled model (backend "eager") trains, with an evaluation after each epoch."""

import hashlib

import torch
from torch import nn

torch.manual_seed(66)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 16)
        self.b = nn.Linear(16, 3)

    def forward(self, x):
        return self.b(torch.relu(self.a(x)))


model = Net()
compiled = torch.compile(model, backend="eager")
optimizer = torch.optim.AdamW(compiled.parameters(), lr=1e-2)
before = [p.detach().clone() for p in model.parameters()]
x, y = torch.randn(24, 4), torch.randint(3, (24,))
for epoch in range(3):
    model.train()
    for rows in torch.randperm(24).split(12):
        loss = nn.functional.cross_entropy(compiled(x[rows]), y[rows])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        print(epoch, repr(loss.item()))
    model.eval()
    with torch.no_grad():
        print(epoch, repr((compiled(x).argmax(1) == y).float().mean().item()))

assert not any(map(torch.equal, before, model.parameters()))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for value in model.state_dict().values():
    digest.update(value.numpy().tobytes())
print("digest", digest.hexdigest())
