"""A function for the evaluation, decorated with no_grad, is also used in training.

Expect: cut; model.user.*; no_grad; # blame
Expect: cut; model.item.*; no_grad; # blame
"""

import torch
from torch import nn


class TwoTowers(nn.Module):
    def __init__(self):
        super().__init__()
        self.user = nn.Embedding(12, 6)
        self.item = nn.Sequential(nn.Linear(8, 6), nn.Tanh())
        self.temperature = nn.Parameter(torch.ones(1))


@torch.no_grad()
def similarity(model, users, items):
    return model.user(users) @ model.item(items).T


def evaluate(model, users, items):
    scores = similarity(model, users, items)
    return (scores.argmax(1) == torch.arange(len(users))).float().mean().item()


def train(model, steps):
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0)
    for step in range(steps):
        users, items = torch.randperm(12)[:6], torch.randn(6, 8)
        logits = similarity(model, users, items) * model.temperature  # blame
        loss = nn.functional.cross_entropy(logits, torch.arange(6))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(step, loss.item())


torch.manual_seed(38)
model = TwoTowers()
print("before", evaluate(model, torch.arange(6), torch.randn(6, 8)))
train(model, steps=3)
assert model.user.weight.grad is None
assert model.item[0].weight.grad is None
assert model.temperature.item() != 1
