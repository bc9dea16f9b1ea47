"""Few-shot adaptation runs on deep copies, and their gradients are not brought back.

Expect: cut; learner.net.*; copy.deepcopy() made other parameters; # blame
"""

import copy

import torch
from torch import nn


class Learner:
    def __init__(self, ways, inner_steps=2):
        self.net = nn.Sequential(nn.Linear(2, 20), nn.ReLU(), nn.Linear(20, ways))
        self.inner_steps = inner_steps
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=1e-3)

    def adapt(self, x, y):
        fast = copy.deepcopy(self.net)  # blame
        inner = torch.optim.SGD(fast.parameters(), lr=0.4)
        for _ in range(self.inner_steps):
            inner.zero_grad()
            nn.functional.cross_entropy(fast(x), y).backward()
            inner.step()
        return fast

    def outer_step(self, episodes):
        self.optimizer.zero_grad()
        total = 0
        for support_x, support_y, query_x, query_y in episodes:
            fast = self.adapt(support_x, support_y)
            total = total + nn.functional.cross_entropy(fast(query_x), query_y)
        total.backward()
        self.optimizer.step()
        return total.item() / len(episodes)


def episode(ways):
    centers = torch.randn(ways, 2) * 3
    y = torch.arange(ways).repeat(5)
    x = centers[y] + torch.randn(len(y), 2)
    half = len(y) // 2
    return x[:half], y[:half], x[half:], y[half:]


torch.manual_seed(14)
learner = Learner(ways=3)
start = [p.tolist() for p in learner.net.parameters()]
for i in range(3):
    print(i, learner.outer_step([episode(3), episode(3)]))
assert [p.tolist() for p in learner.net.parameters()] == start
assert all(p.grad is None for p in learner.net.parameters())
