"""The penalty of the weights is computed under no_grad, so it changes nothing.

Note: gives no gradient: no_grad at penalty_of_the_weights.py:13
"""

import torch
from torch import nn

GAIN = 0.1


def penalty(model):
    with torch.no_grad():
        return GAIN * sum(weight.square().sum() for weight in model.parameters())


torch.manual_seed(85)
model = nn.Linear(4, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for _ in range(5):
    images, labels = torch.randn(8, 4), torch.randint(2, (8,))
    loss = nn.functional.cross_entropy(model(images), labels) + penalty(model)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
