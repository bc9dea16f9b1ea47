"""Adapters of attention begin with a factor of zeros and train, as they should."""

import math

import torch
from torch import nn


class Lora(nn.Module):
    def __init__(self, linear, rank=4, alpha=8):
        super().__init__()
        self.linear = linear.requires_grad_(False)
        self.lora_A = nn.Parameter(torch.empty(rank, linear.in_features))
        self.lora_B = nn.Parameter(torch.zeros(linear.out_features, rank))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))
        self.scaling = alpha / rank

    def forward(self, x):
        return self.linear(x) + self.scaling * (x @ self.lora_A.T @ self.lora_B.T)


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.q = Lora(nn.Linear(width, width))
        self.k = nn.Linear(width, width).requires_grad_(False)
        self.v = Lora(nn.Linear(width, width))
        self.out = nn.Linear(width, width).requires_grad_(False)

    def forward(self, x):
        parts = (layer(x).chunk(self.heads, -1) for layer in (self.q, self.k, self.v))
        q, k, v = (torch.stack(part, 1) for part in parts)
        y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return x + self.out(torch.cat(y.unbind(1), -1))


def main():
    torch.manual_seed(0)
    model = nn.Sequential(Attention(8, 2), Attention(8, 2))
    trained = [p for p in model.parameters() if p.requires_grad]
    start = [p.detach().clone() for p in trained]
    optimizer = torch.optim.AdamW(trained, lr=1e-3)
    for step in range(4):
        x = torch.randn(4, 6, 8)
        loss = (model(x)[:, :-1] - x[:, 1:]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        if step == 0:
            assert not model[0].q.lora_A.grad.any()
        optimizer.step()
        print(step, loss.item())
    assert not any(torch.equal(p, q) for p, q in zip(trained, start, strict=True))


if __name__ == "__main__":
    main()
