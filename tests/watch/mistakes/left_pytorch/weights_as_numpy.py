"""The weights of an ensemble are turned into NumPy numbers before they are used.

Expect: unused; *mixture; its result left PyTorch by numpy(); # blame
"""

import numpy as np
import torch
from torch import nn


class Ensemble(nn.Module):
    def __init__(self, count):
        super().__init__()
        self.members = nn.ModuleList(nn.Linear(4, 1) for _ in range(count))
        self.mixture = nn.Parameter(torch.zeros(count))

    def forward(self, x):
        logits = self.mixture.detach().numpy()  # blame
        weights = np.exp(logits) / np.exp(logits).sum()
        outputs = [member(x) for member in self.members]
        return sum(float(w) * y for w, y in zip(weights, outputs, strict=True))


torch.manual_seed(0)
ensemble = Ensemble(3)
optimizer = torch.optim.Adam(ensemble.parameters(), lr=0.01)
for step in range(3):
    x = torch.randn(16, 4)
    loss = nn.functional.mse_loss(ensemble(x), x.sum(1, keepdim=True))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
assert ensemble.mixture.tolist() == [0, 0, 0]
assert ensemble.mixture.grad is None
assert ensemble.members[2].weight.grad.any()
