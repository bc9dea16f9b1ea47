"""The data loader has fewer batches than are accumulated, so no step ever runs.

Expect: not in optimizer; encoder.*; the step() of its AdamW never ran
Expect: not in optimizer; head.*; the step() of its AdamW never ran
Expect: nothing trains; *; ;
"""

import itertools

import torch
from torch import nn

ACCUMULATE = 8

torch.manual_seed(71)
encoder = nn.Sequential(nn.Linear(6, 10), nn.GELU())
head = nn.Linear(10, 3)
optimizer = torch.optim.AdamW(
    itertools.chain(encoder.parameters(), head.parameters()), lr=1e-3
)
data = [(torch.randn(4, 6), torch.randint(3, (4,))) for _ in range(5)]
for number, (x, labels) in enumerate(data, start=1):
    loss = nn.functional.cross_entropy(head(encoder(x)), labels) / ACCUMULATE
    loss.backward()
    if number % ACCUMULATE == 0:
        optimizer.step()
        optimizer.zero_grad()
