"""Groups are made by parts of names, and one kind of parameter is in none of them.

Expect: not in optimizer; model.position; gets a gradient that nobody applies;
Expect: not in optimizer; model.norm.gain; gets a gradient that nobody applies;
"""

import torch
from torch import nn


class Norm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x):
        return nn.functional.layer_norm(x, x.shape[-1:], self.gain, self.bias)


class Model(nn.Module):
    def __init__(self, width=6, length=4):
        super().__init__()
        self.position = nn.Parameter(torch.randn(length, width))
        self.linear = nn.Linear(width, width)
        self.norm = Norm(width)
        self.out = nn.Linear(width, 1)

    def forward(self, x):
        return self.out(self.norm(x + self.linear(x + self.position)).relu().amax(1))


def groups(model, weight_decay):
    named = dict(model.named_parameters())
    decayed = [p for n, p in named.items() if n.endswith("weight")]
    plain = [p for n, p in named.items() if n.endswith("bias")]
    return [
        {"params": decayed, "weight_decay": weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]


torch.manual_seed(92)
model = Model()
optimizer = torch.optim.AdamW(groups(model, 0.1), lr=1e-3)
position, gain = model.position.tolist(), model.norm.gain.tolist()
for step in range(3):
    x = torch.randn(9, 4, 6)
    loss = nn.functional.mse_loss(model(x)[:, 0], x.mean((1, 2)))
    for parameter in model.parameters():
        parameter.grad = None
    loss.backward()
    optimizer.step()
    print(step, loss.item())
assert model.position.tolist() == position
assert model.norm.gain.tolist() == gain
assert model.position.grad.any()
assert model.norm.gain.grad.any()
