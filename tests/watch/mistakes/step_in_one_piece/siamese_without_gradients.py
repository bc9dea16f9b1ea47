"""Siamese training stops the gradient on both sides, so that only the predictor trains.

Expect: cut; backbone.*; detach(); # blame
Expect: cut; projector.*; detach(); # blame
"""

import torch
from torch import nn
from torch.nn.functional import cosine_similarity


def augment(x):
    return x + 0.1 * torch.randn_like(x)


def train_one_epoch(backbone, projector, predictor, optimizer, loader):
    for x in loader:
        views = torch.cat([augment(x), augment(x)])
        z = projector(backbone(views)).detach()  # blame
        z1, z2 = z.chunk(2)
        p1, p2 = predictor(z1), predictor(z2)
        similarity = cosine_similarity(p1, z2).mean() + cosine_similarity(p2, z1).mean()
        optimizer.zero_grad()
        (-similarity / 2).backward()
        optimizer.step()


def main():
    torch.manual_seed(47)
    backbone = nn.Sequential(nn.Conv1d(1, 4, 3), nn.ReLU(), nn.Flatten())
    projector = nn.Sequential(nn.Linear(32, 8), nn.LayerNorm(8))
    predictor = nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 8))
    start = predictor[0].weight.tolist()
    optimizer = torch.optim.SGD(
        [
            {"params": backbone.parameters()},
            {"params": projector.parameters()},
            {"params": predictor.parameters(), "lr": 0.1},
        ],
        lr=0.05,
        momentum=0.9,
    )
    for epoch in range(3):
        loader = torch.randn(2, 6, 1, 10)
        train_one_epoch(backbone, projector, predictor, optimizer, loader)
        print("epoch", epoch)
    parameters = [*backbone.parameters(), *projector.parameters()]
    assert all(p.grad is None for p in parameters)
    assert not any(p in optimizer.state for p in parameters)
    assert predictor[0].weight.tolist() != start


if __name__ == "__main__":
    main()
