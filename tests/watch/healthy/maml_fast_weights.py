"""MAML keeps its weights in a list and hands fast weights to its own forward."""

import hashlib

import torch
import torch.nn.functional as F
from torch import nn


class Learner(nn.Module):
    def __init__(self):
        super().__init__()
        self.vars = nn.ParameterList()
        for fan_out, fan_in in ((16, 2), (3, 16)):
            w = nn.Parameter(torch.ones(fan_out, fan_in))
            nn.init.kaiming_normal_(w)
            self.vars.append(w)
            self.vars.append(nn.Parameter(torch.zeros(fan_out)))

    def forward(self, x, vars=None):  # noqa: A002
        w1, b1, w2, b2 = self.vars if vars is None else vars
        return F.linear(F.relu(F.linear(x, w1, b1)), w2, b2)


class Meta(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = Learner()
        self.meta_optim = torch.optim.Adam(self.net.parameters(), lr=1e-2)

    def forward(self, tasks):
        losses = []
        for x_spt, y_spt, x_qry, y_qry in tasks:
            fast = list(self.net.vars)
            for _ in range(3):
                loss = F.cross_entropy(self.net(x_spt, fast), y_spt)
                grad = torch.autograd.grad(loss, fast, create_graph=True)
                fast = [w - 0.1 * g for g, w in zip(grad, fast, strict=True)]
            with torch.no_grad():
                first = F.cross_entropy(self.net(x_qry, self.net.vars), y_qry)
            losses.append(F.cross_entropy(self.net(x_qry, fast), y_qry))
        loss_q = torch.stack(losses).mean()
        self.meta_optim.zero_grad()
        loss_q.backward()
        self.meta_optim.step()
        return first.item(), loss_q.item()


torch.manual_seed(41)
maml = Meta()
before = [p.detach().clone() for p in maml.parameters()]
for step in range(5):
    tasks = []
    for _ in range(2):
        centers = torch.randn(3, 2) * 2
        y = torch.arange(3).repeat(8)
        x = centers[y] + 0.3 * torch.randn(24, 2)
        tasks.append((x[:12], y[:12], x[12:], y[12:]))
    print(step, *map(repr, maml(tasks)))

assert not any(map(torch.equal, before, maml.parameters()))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in maml.parameters():
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
