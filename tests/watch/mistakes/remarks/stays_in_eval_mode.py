"""Nobody calls train() after the evaluation, so dropout is off from then on.

Note: model trains in eval mode at stays_in_eval_mode.py:23, which changes BatchNorm1d
"""

import torch
from torch import nn


def accuracy(model, inputs, targets):
    model.eval()
    with torch.no_grad():
        return (model(inputs).argmax(1) == targets).float().mean().item()


torch.manual_seed(93)
layers = nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2)
model = nn.Sequential(*layers, nn.Linear(16, 3))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
inputs, targets = torch.randn(24, 4), torch.randint(3, (24,))
print(accuracy(model, inputs, targets))
for _ in range(5):
    loss = nn.functional.cross_entropy(model(inputs), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
