"""Two heads share an encoder, and each loss has a backward of its own."""

import hashlib

import torch
from torch import nn

torch.manual_seed(10)


class TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(6, 12), nn.ReLU())
        self.depth = nn.Linear(12, 1)
        self.labels = nn.Linear(12, 3)

    def forward(self, x):
        hidden = self.encoder(x)
        return {"depth": self.depth(hidden).squeeze(1), "labels": self.labels(hidden)}


model = TwoHeads()
before = [p.detach().clone() for p in model.parameters()]
optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3)
for step in range(5):
    x = torch.randn(16, 6)
    out = model(x)
    loss_depth = (out["depth"] - x[:, 0]).abs().mean()
    loss_labels = nn.functional.cross_entropy(out["labels"], x[:, :3].argmax(1))
    optimizer.zero_grad()
    loss_depth.backward(retain_graph=True)
    (0.5 * loss_labels).backward()
    optimizer.step()
    print(step, repr(loss_depth.item()), repr(loss_labels.item()))

assert not any(map(torch.equal, before, model.parameters()))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in model.parameters():
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
