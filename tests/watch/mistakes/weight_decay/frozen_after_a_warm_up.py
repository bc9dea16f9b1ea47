"""After a warm-up the embeddings are frozen, and plain SGD goes on to decay them.

Expect: moves; model.users.weight; weight decay;
Expect: moves; model.items.weight; weight decay;
"""

import argparse

import torch
from torch import nn


class Recommender(nn.Module):
    def __init__(self, users, items, width):
        super().__init__()
        self.users = nn.Embedding(users, width)
        self.items = nn.Embedding(items, width)
        self.score = nn.Bilinear(width, width, 1)

    def forward(self, user, item):
        return self.score(self.users(user), self.items(item))[:, 0]


parser = argparse.ArgumentParser()
parser.add_argument("--warm-up", type=int, default=1)
parser.add_argument("--steps", type=int, default=4)
args = parser.parse_args()
torch.manual_seed(39)
model = Recommender(10, 15, 4)
optimizer = torch.optim.SGD(model.parameters(), lr=0.5, weight_decay=1e-3)
for step in range(args.steps):
    if step == args.warm_up:
        for embedding in (model.users, model.items):
            embedding.weight.requires_grad = False
        frozen = model.users.weight.clone(), model.items.weight.clone()
    user, item = torch.randint(10, (20,)), torch.randint(15, (20,))
    optimizer.zero_grad(set_to_none=False)
    loss = (model(user, item) - (user % 3).float()).square().mean()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
assert not model.users.weight.grad.any()
assert (model.users.weight.abs() <= frozen[0].abs()).all()
assert not torch.equal(model.users.weight, frozen[0])
assert not torch.equal(model.items.weight, frozen[1])
