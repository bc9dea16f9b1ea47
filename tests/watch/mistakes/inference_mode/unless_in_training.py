"""Inference mode is on unless the module is in training mode, and eval() was called.

Expect: cut; model.stem.*; inference_mode; # blame
"""

import torch
from torch import nn


class Hybrid(nn.Module):
    def __init__(self, inputs):
        super().__init__()
        self.stem = nn.Linear(inputs, 8)
        self.offset = nn.Parameter(torch.zeros(8))
        self.out = nn.Linear(8, 2)

    def forward(self, x):
        with torch.inference_mode(not self.training):  # blame
            h = self.stem(x).tanh()
        return self.out(self.offset + h)


def main():
    torch.manual_seed(81)
    model = Hybrid(5).eval()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
    start = model.stem.weight.tolist(), model.out.weight.tolist()
    for epoch in range(3):
        x = torch.randn(10, 5)
        loss = nn.functional.cross_entropy(model(x), (x.sum(1) > 0).long())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(epoch, loss.item())
    assert model.stem.weight.tolist() == start[0]
    assert model.stem.bias.grad is None
    assert model.out.weight.tolist() != start[1]
    assert model.offset.any()


if __name__ == "__main__":
    main()
