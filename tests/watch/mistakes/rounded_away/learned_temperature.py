"""A temperature in float16 is 2.659, too large for what its rate of 1e-4 would add.

Expect: still; *temperature; rounded away;
"""

from typing import NamedTuple

import torch
from torch import nn
from torch.nn.functional import normalize


class Pair(NamedTuple):
    anchor: torch.Tensor
    positive: torch.Tensor


class Matcher(nn.Module):
    def __init__(self, inputs, width):
        super().__init__()
        self.project = nn.Linear(inputs, width)
        self.bias = nn.Parameter(torch.zeros((), dtype=torch.float16))
        self.temperature = nn.Parameter(torch.tensor(2.659, dtype=torch.float16))

    def forward(self, pair):
        a, b = (normalize(self.project(x)) for x in pair)
        scale = self.temperature.float().exp()
        return scale * a @ b.T + self.bias.float()


def sigmoid_loss(logits):
    signs = 2 * torch.eye(len(logits)) - 1
    return -nn.functional.logsigmoid(signs * logits).sum(1).mean()


def main():
    torch.manual_seed(3)
    matcher = Matcher(10, 4)
    optimizer = torch.optim.RMSprop(matcher.parameters(), lr=1e-4, eps=1e-3, alpha=0.5)
    start = matcher.temperature.item()
    for i in range(3):
        x = torch.randn(8, 10)
        loss = sigmoid_loss(matcher(Pair(x, x + 0.1 * torch.randn(8, 10))))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(i, loss.item(), matcher.bias.item())
        assert matcher.temperature.grad != 0
    assert matcher.temperature.item() == start
    assert matcher.bias.item() != 0


main()
