"""ActNorm sets its own parameters from the first batch and trains them afterwards."""

import hashlib

import torch
from torch import nn

torch.manual_seed(170)


class ActNorm(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.loc = nn.Parameter(torch.zeros(features))
        self.log_scale = nn.Parameter(torch.zeros(features))
        self.register_buffer("initialized", torch.tensor(0, dtype=torch.uint8))

    def initialize(self, x):
        with torch.no_grad():
            self.loc.data.copy_(-x.mean(0))
            self.log_scale.data.copy_(-(x.std(0) + 1e-6).log())

    def forward(self, x):
        if self.initialized.item() == 0:
            self.initialize(x)
            self.initialized.fill_(1)
        return (x + self.loc) * self.log_scale.exp(), self.log_scale.sum()


class Flow(nn.Module):
    def __init__(self):
        super().__init__()
        self.norms = nn.ModuleList(ActNorm(4) for _ in range(2))
        self.mix = nn.Parameter(torch.eye(4) + 0.1 * torch.randn(4, 4))

    def forward(self, x):
        x, log_det = self.norms[0](x)
        x = x @ self.mix
        log_det = log_det + torch.linalg.slogdet(self.mix)[1]
        x, more = self.norms[1](x)
        return x, log_det + more


flow = Flow()
optimizer = torch.optim.Adam(flow.parameters(), lr=1e-2)
for step in range(6):
    x = torch.randn(32, 4) * 3 + 1
    z, log_det = flow(x)
    loss = (0.5 * z.pow(2).sum(1) - log_det).mean()
    before = [p.detach().clone() for p in flow.parameters()]
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    assert not any(map(torch.equal, before, flow.parameters()))
    print(step, repr(loss.item()))

digest = hashlib.sha256(torch.get_rng_state().numpy())
for value in flow.state_dict().values():
    digest.update(value.numpy().tobytes())
print("digest", digest.hexdigest())
