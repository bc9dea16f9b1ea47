"""Both factors of an adapter begin with zeros, and neither ever gets a gradient.

Expect: zero; model.adapter.*; its gradient is;
"""

import torch
from torch import nn


class Adapter(nn.Module):
    def __init__(self, width, rank):
        super().__init__()
        self.down = nn.Linear(width, rank, bias=False)
        self.up = nn.Linear(rank, width, bias=False)
        self.reset()

    def reset(self):
        for module in self.children():
            nn.init.zeros_(module.weight)

    def forward(self, x):
        return self.up(self.down(x))


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.EmbeddingBag(40, 12, mode="mean")
        self.adapter = Adapter(12, 3)
        self.tags = nn.Linear(12, 5)
        self.words.requires_grad_(False)

    def forward(self, text, offsets):
        h = self.words(text, offsets)
        return self.tags(h + self.adapter(h))


torch.manual_seed(17)
model = Tagger()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
for epoch in range(5):
    text = torch.randint(40, (24,))
    target = text[::4] % 5
    loss = nn.functional.cross_entropy(model(text, torch.arange(0, 24, 4)), target)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"epoch {epoch}: {loss.item():.4f}")
assert not model.adapter.down.weight.any()
assert not model.adapter.up.weight.any()
assert model.adapter.up.weight.grad is not None
assert model.tags.weight.grad.any()
