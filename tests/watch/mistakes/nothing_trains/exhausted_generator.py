"""The optimizer gets a generator of parameters that a print has already consumed.

Expect: not in optimizer; model.*; gets a gradient that nobody applies;
Expect: nothing trains; *; ;
"""

import torch
from torch import nn

torch.manual_seed(3)
model = nn.ModuleDict(
    {
        "encoder": nn.LSTM(4, 6, batch_first=True),
        "decoder": nn.Linear(6, 4),
    }
)
trainable = (p for p in model.parameters() if p.requires_grad)
print("trainable parameters:", sum(p.numel() for p in trainable))
optimizer = torch.optim.SGD([{"params": trainable, "lr": 0.1}], momentum=0.9)
before = [p.tolist() for p in model.parameters()]
for step in range(3):
    sequence = torch.randn(5, 7, 4).cumsum(1)
    hidden, _ = model["encoder"](sequence[:, :-1])
    loss = (model["decoder"](hidden) - sequence[:, 1:]).square().mean()
    model.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
assert [p.tolist() for p in model.parameters()] == before
assert all(p.grad.abs().sum() > 0 for p in model.parameters())
assert not optimizer.param_groups[0]["params"]
