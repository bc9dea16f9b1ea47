"""A scripted module trains: its forward runs outside of Python."""

import hashlib
import warnings

import torch
from torch import nn

warnings.filterwarnings("ignore", message=".*torch.jit.*")
torch.manual_seed(140)


class Gated(nn.Module):
    def __init__(self):
        super().__init__()
        self.value = nn.Linear(4, 8)
        self.gate = nn.Linear(4, 8)
        self.out = nn.Linear(8, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = self.value(x) * torch.sigmoid(self.gate(x))
        if bool(hidden.mean() > 100.0):
            hidden = hidden / 100.0
        return self.out(hidden)


model = torch.jit.script(Gated())
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
before = [p.detach().clone() for p in model.parameters()]
for step in range(6):
    x = torch.randn(16, 4)
    loss = nn.functional.mse_loss(model(x).squeeze(1), x.prod(1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, repr(loss.item()))

assert not any(map(torch.equal, before, model.parameters()))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in model.parameters():
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
