"""A focal loss of one's own returns one gradient for its three arguments.

Expect: failed; *; FocalLoss; # blame
Raises: returned an incorrect number of gradients
"""

from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class FocalLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits, target, gamma):
        p = logits.sigmoid()
        pt = torch.where(target > 0, p, 1 - p)
        ctx.save_for_backward(p, pt, target)
        ctx.gamma = gamma
        return -((1 - pt) ** gamma * pt.clamp_min(1e-6).log()).mean()

    @staticmethod
    def backward(ctx, grad):
        p, pt, target = ctx.saved_tensors
        return grad * (1 - pt) ** ctx.gamma * (p - target) / p.numel()


@dataclass
class Config:
    epochs: int = 2
    batch: int = 8
    gamma: float = 2.0


def run(config):
    torch.manual_seed(6)
    x = torch.randn(32, 10)
    loader = DataLoader(TensorDataset(x, (x[:, 0] > 1).float()), config.batch)
    model = nn.Sequential(nn.Linear(10, 6), nn.ELU(), nn.Linear(6, 1), nn.Flatten(0))
    optimizer = torch.optim.Adam(model.parameters())
    for _ in range(config.epochs):
        for features, target in loader:
            logits = model(features)
            assert logits.requires_grad
            loss = FocalLoss.apply(logits, target, config.gamma)  # blame
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            print("focal", loss.item())


run(Config())
