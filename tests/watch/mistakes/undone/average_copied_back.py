"""The weights of the average are copied into the network, not the other way round.

Expect: undone; student.*; overwritten; # copies
"""

import copy

import torch
from torch import nn


class Average:
    def __init__(self, network):
        self.average = copy.deepcopy(network).requires_grad_(False)

    @torch.no_grad()
    def update(self, network):
        pairs = zip(self.average.parameters(), network.parameters(), strict=True)
        for mean, new in pairs:
            new.copy_(mean)  # copies
            mean.lerp_(new, 0.1)


torch.manual_seed(82)
student = nn.Linear(5, 3)
teacher = Average(student)
optimizer = torch.optim.SGD(student.parameters(), lr=0.1, momentum=0.9)
for _ in range(5):
    images, labels = torch.randn(16, 5), torch.randint(3, (16,))
    loss = nn.functional.cross_entropy(student(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    teacher.update(student)
