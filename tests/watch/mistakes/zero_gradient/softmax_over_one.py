"""The weights of an attention are a softmax over the wrong dimension, of size 1.

Expect: zero; *scorer.*; its gradient is exactly zero;
"""

import torch
from torch import nn


class Pooling(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scorer = nn.Sequential(nn.Linear(width, 6), nn.Tanh(), nn.Linear(6, 1))

    def forward(self, states):
        weights = self.scorer(states).softmax(dim=-1)
        return (weights * states).sum(1)


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(4, 8, batch_first=True)
        self.pooling = Pooling(8)
        self.answer = nn.Linear(8, 2)

    def forward(self, x):
        return self.answer(self.pooling(self.rnn(x)[0]))


class Trainer:
    def __init__(self):
        self.reader = Reader()
        self.optimizer = torch.optim.Adam(self.reader.parameters(), lr=1e-3)

    def fit(self, steps):
        for _ in range(steps):
            x, y = torch.randn(5, 7, 4), torch.randint(2, (5,))
            loss = nn.functional.cross_entropy(self.reader(x), y)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            yield loss.item()


torch.manual_seed(68)
trainer = Trainer()
print(list(trainer.fit(3)))
scorer = trainer.reader.pooling.scorer
assert all(p.grad is not None for p in scorer.parameters())
assert not any(p.grad.any() for p in scorer.parameters())
assert trainer.reader.rnn.weight_hh_l0.grad.any()
