"""The loop never clears the gradients, so each step applies the sum of all.

Expect: never cleared; SGD; no zero_grad(); # steps
"""

import torch
from torch import nn

torch.manual_seed(83)
model = nn.Linear(4, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for _ in range(5):
    loss = nn.functional.cross_entropy(model(torch.randn(8, 4)), torch.randint(2, (8,)))
    loss.backward()
    optimizer.step()  # steps
