"""Frozen layers have gradients of 0 left over from a test, and AdamW decays them.

Expect: moves; model.encoder.*; weight decay;
"""

import torch
from torch import nn


class Translator(nn.Module):
    def __init__(self, words=20, width=8):
        super().__init__()
        self.encoder = nn.ModuleDict(
            {"embed": nn.Embedding(words, width), "rnn": nn.GRU(width, width)}
        )
        self.decoder = nn.GRU(width, width)
        self.out = nn.Linear(width, words)

    def forward(self, source, target):
        _, state = self.encoder["rnn"](self.encoder["embed"](source))
        hidden, _ = self.decoder(self.encoder["embed"](target), state)
        return self.out(hidden)

    def loss(self, source, target):
        logits = self(source, target[:-1])
        return nn.functional.cross_entropy(logits.flatten(0, 1), target[1:].flatten())


def batch(length=5, size=4):
    return torch.randint(20, (length, size)), torch.randint(20, (length, size))


torch.manual_seed(0)
model = Translator()
model.loss(*batch()).backward()
assert all(p.grad.isfinite().all() for p in model.parameters())
model.zero_grad(set_to_none=False)
model.encoder.requires_grad_(False)
frozen = model.encoder["embed"].weight.clone()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.1)
for step in range(3):
    loss = model.loss(*batch())
    loss.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=False)
    print(step, loss.item())
assert not torch.equal(model.encoder["embed"].weight, frozen)
assert torch.allclose(model.encoder["embed"].weight, frozen * (1 - 1e-4) ** 3)
