"""Affine couplings with fixed masks are trained by maximum likelihood."""

import hashlib

import torch
from torch import nn
from torch.distributions import MultivariateNormal

torch.manual_seed(130)


class RealNVP(nn.Module):
    def __init__(self, layers=4, hidden=8):
        super().__init__()
        masks = torch.tensor([[0.0, 1.0], [1.0, 0.0]] * (layers // 2))
        self.mask = nn.Parameter(masks, requires_grad=False)
        self.s = nn.ModuleList(self.net(hidden, nn.Tanh()) for _ in range(layers))
        self.t = nn.ModuleList(self.net(hidden) for _ in range(layers))
        self.register_buffer("loc", torch.zeros(2))

    @staticmethod
    def net(hidden, *last):
        return nn.Sequential(
            nn.Linear(2, hidden), nn.LeakyReLU(), nn.Linear(hidden, 2), *last
        )

    def log_prob(self, x):
        log_det = x.new_zeros(len(x))
        for mask, s_net, t_net in zip(self.mask, self.s, self.t, strict=True):
            kept = mask * x
            s, t = s_net(kept) * (1 - mask), t_net(kept) * (1 - mask)
            x = (1 - mask) * (x - t) * torch.exp(-s) + kept
            log_det = log_det - s.sum(1)
        return MultivariateNormal(self.loc, torch.eye(2)).log_prob(x) + log_det


flow = RealNVP()
before = {name: p.detach().clone() for name, p in flow.named_parameters()}
optimizer = torch.optim.Adam([p for p in flow.parameters() if p.requires_grad], 1e-2)
for step in range(6):
    z = torch.randn(32, 2)
    data = torch.stack([z[:, 0], z[:, 0].square() + 0.3 * z[:, 1]], dim=1)
    loss = -flow.log_prob(data).mean()
    optimizer.zero_grad()
    loss.backward(retain_graph=True)
    optimizer.step()
    print(step, repr(loss.item()))

for name, p in flow.named_parameters():
    assert torch.equal(p, before[name]) == (name == "mask"), name
digest = hashlib.sha256(torch.get_rng_state().numpy())
for value in flow.state_dict().values():
    digest.update(value.numpy().tobytes())
print("digest", digest.hexdigest())
