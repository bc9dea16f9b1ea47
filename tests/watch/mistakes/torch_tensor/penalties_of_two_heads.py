"""The penalties of two small heads are gathered by torch.tensor() before their mean.

Expect: cut; net.heads.*; torch.tensor(); # blame
"""

import warnings

import torch
from torch import nn

warnings.filterwarnings("ignore", message="Converting a tensor with requires_grad")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(7, 9), nn.SiLU())
        self.out = nn.Linear(9, 1)
        self.heads = nn.ModuleDict({"low": nn.Linear(9, 1), "high": nn.Linear(9, 1)})

    def forward(self, x):
        h = self.body(x)
        return self.out(h), {name: head(h) for name, head in self.heads.items()}


def pinball(predicted, target, quantile):
    error = target - predicted
    return torch.maximum(quantile * error, (quantile - 1) * error).mean()


def train_step(net, optimizer, x):
    target = x.sum(1, keepdim=True)
    center, heads = net(x)
    quantiles = {"low": 0.1, "high": 0.9}
    penalties = [pinball(heads[k], target, q) for k, q in quantiles.items()]
    penalty = torch.tensor(penalties).mean()  # blame
    loss = (center - target).square().mean() + penalty
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item(), penalty.item()


if __name__ == "__main__":
    torch.manual_seed(89)
    net = Net()
    optimizer = torch.optim.RMSprop(net.parameters(), lr=1e-3, momentum=0.5)
    for _ in range(3):
        print(train_step(net, optimizer, torch.randn(15, 7)))
    assert all(p.grad is None for p in net.heads.parameters())
    assert not any(p in optimizer.state for p in net.heads.parameters())
    assert all(p.grad.any() for p in net.body.parameters())
