"""The embedding is frozen, and a loop that looks for biases unfreezes it again.

Note: 2 tensors frozen at unfrozen_by_a_later_loop.py:11 and unfrozen at
"""

import torch
from torch import nn

torch.manual_seed(92)
model = nn.ModuleDict({"embed": nn.Linear(6, 4), "head": nn.Linear(4, 2)})
model["embed"].requires_grad_(False)

for name, parameter in model.named_parameters():
    if "bias" in name or "e" in name:
        parameter.requires_grad = True

optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for _ in range(4):
    scores = model["head"](model["embed"](torch.randn(8, 6)).tanh())
    loss = nn.functional.cross_entropy(scores, torch.randint(2, (8,)))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
