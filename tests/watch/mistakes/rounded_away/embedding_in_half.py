"""A bfloat16 embedding is trained by plain SGD, and each update is rounded away.

Expect: still; model.embed.weight; rounded away;
"""

import torch
from torch import nn

torch.manual_seed(13)
model = nn.ModuleDict(
    {
        "embed": nn.Embedding(20, 16).to(torch.bfloat16),
        "mixer": nn.Conv1d(16, 16, 3, groups=4),
        "score": nn.Linear(16, 1),
    }
)
optimizer = torch.optim.SGD(
    [
        {"params": model["embed"].parameters(), "lr": 1e-5},
        {"params": [*model["mixer"].parameters(), *model["score"].parameters()]},
    ],
    lr=0.05,
)
start = model["embed"].weight.detach().clone()
for epoch in range(2):
    for _ in range(3):
        items = torch.randint(20, (12, 6))
        x = model["embed"](items).float().transpose(1, 2)
        score = model["score"](model["mixer"](x).relu().amax(-1))
        loss = nn.functional.softplus(-score * (items[:, :1] - 10).sign()).mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=False)
    print(epoch, loss.item())
assert torch.equal(model["embed"].weight, start)
assert model["embed"].weight.grad is not None
