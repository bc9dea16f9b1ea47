"""Only parameters with "lora" in their names should train, and none is called so.

Expect: nothing trains; *; ;
Raises: element 0 of tensors does not require grad
"""

import argparse

import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.adapter_down = nn.Linear(width, 2)
        self.adapter_up = nn.Linear(2, width)

    def forward(self, x):
        return self.linear(x) + self.adapter_up(self.adapter_down(x))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--train", default="lora")
    parser.add_argument("--lr", type=float, default=1e-3)
    args = parser.parse_args()
    torch.manual_seed(0)
    net = nn.Sequential(Block(6), nn.ReLU(), Block(6))
    for name, parameter in net.named_parameters():
        parameter.requires_grad_(args.train in name)
    print("parameters:", sum(p.numel() for p in net.parameters()))
    assert not any(p.requires_grad for p in net.parameters())
    optimizer = torch.optim.Adam(net.parameters(), lr=args.lr)
    for _ in range(3):
        x = torch.randn(10, 6)
        loss = nn.functional.mse_loss(net(x), x.flip(1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


if __name__ == "__main__":
    main()
