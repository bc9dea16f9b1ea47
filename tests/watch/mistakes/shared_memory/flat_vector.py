"""A policy and its frozen reference are both made views of the same flat vector.

Expect: moves; *reference.*; shares its memory with;
"""

import torch
from torch import nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters


def network():
    return nn.Sequential(nn.Linear(5, 8), nn.ELU(), nn.Linear(8, 4))


class Player:
    def __init__(self, lr):
        self.policy = network()
        self.reference = network()
        self.optimizer = torch.optim.SGD(self.policy.parameters(), lr=lr)
        self.flatten()

    def flatten(self):
        flat = parameters_to_vector(self.policy.parameters()).detach()
        vector_to_parameters(flat, self.policy.parameters())
        vector_to_parameters(flat, self.reference.parameters())
        for p in self.reference.parameters():
            p.requires_grad_(False)

    def improve(self, x, advantage):
        new = self.policy(x).log_softmax(-1)
        old = self.reference(x).log_softmax(-1)
        gain = (new[:, 0] * advantage).mean()
        divergence = (new.exp() * (new - old)).sum(1).mean()
        self.optimizer.zero_grad()
        (divergence - gain).backward()
        self.optimizer.step()
        return divergence.item()


torch.manual_seed(15)
player = Player(lr=0.2)
first = [p.sum().item() for p in player.reference.parameters()]
for _ in range(4):
    print("divergence", player.improve(torch.randn(20, 5), torch.randn(20)))
for before, p, q in zip(
    first, player.reference.parameters(), player.policy.parameters(), strict=True
):
    assert p.sum().item() != before
    assert torch.equal(p, q)
    assert not p.requires_grad
