"""DARTS alternates weights and architecture, with hard Gumbel choices of operations."""

import hashlib

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(160)


class Mixed(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.ops = nn.ModuleList(
            [nn.Linear(dim, dim), nn.Sequential(nn.Linear(dim, dim), nn.Tanh())]
        )
        self.alpha = nn.Parameter(1e-3 * torch.randn(2))

    def forward(self, x, tau):
        choice = F.gumbel_softmax(self.alpha, tau=tau, hard=True)
        return sum(c * op(x) for c, op in zip(choice, self.ops, strict=True))


class SuperNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Linear(4, 8)
        self.cells = nn.ModuleList(Mixed(8) for _ in range(2))
        self.head = nn.Linear(8, 2)

    def forward(self, x, tau=1.0):
        x = torch.relu(self.stem(x))
        for cell in self.cells:
            x = x + cell(x, tau)
        return self.head(x)

    def arch_parameters(self):
        return [cell.alpha for cell in self.cells]

    def weight_parameters(self):
        return [p for n, p in self.named_parameters() if not n.endswith("alpha")]


net = SuperNet()
w_optimizer = torch.optim.SGD(net.weight_parameters(), lr=0.1, momentum=0.9)
a_optimizer = torch.optim.Adam(net.arch_parameters(), lr=0.05)
before = {name: p.detach().clone() for name, p in net.named_parameters()}
for step in range(8):
    tau = 5.0 - 0.5 * step
    x_train, x_valid = torch.randn(2, 16, 4).unbind()
    a_optimizer.zero_grad()
    valid_loss = F.cross_entropy(net(x_valid, tau), (x_valid[:, 0] > 0).long())
    valid_loss.backward()
    a_optimizer.step()
    w_optimizer.zero_grad()
    train_loss = F.cross_entropy(net(x_train, tau), (x_train[:, 0] > 0).long())
    train_loss.backward()
    w_optimizer.step()
    print(step, repr(valid_loss.item()), repr(train_loss.item()))

for name, p in net.named_parameters():
    assert not torch.equal(p, before[name]), name
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in net.parameters():
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
