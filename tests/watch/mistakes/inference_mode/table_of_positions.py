"""The bias of relative positions is looked up in inference mode, to save memory.

Expect: cut; model.attention.relative.weight; inference_mode; # blame
"""

import torch
from torch import nn


class Attention(nn.Module):
    def __init__(self, width, length):
        super().__init__()
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.relative = nn.Embedding(2 * length - 1, 1)
        position = torch.arange(length)
        self.register_buffer("index", position[:, None] - position + length - 1)

    def bias(self):
        with torch.inference_mode():  # blame
            return self.relative(self.index)[..., 0]

    def forward(self, x):
        q, k, v = self.qkv(x).chunk(3, -1)
        scores = q @ k.transpose(1, 2) / q.shape[-1] ** 0.5 + self.bias()
        return scores.softmax(-1) @ v


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = Attention(6, 5)
        self.out = nn.Linear(6, 1)

    def forward(self, x):
        return self.out(x + self.attention(x))[..., 0]


torch.manual_seed(98)
model = Model()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01, maximize=False)
for step in range(4):
    x = torch.randn(8, 5, 6)
    loss = nn.functional.huber_loss(model(x), x[..., 0].cumsum(1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
torch.manual_seed(98)
start = Model()
assert torch.equal(start.attention.relative.weight, model.attention.relative.weight)
assert model.attention.relative.weight.grad is None
assert not torch.equal(start.attention.qkv.weight, model.attention.qkv.weight)
