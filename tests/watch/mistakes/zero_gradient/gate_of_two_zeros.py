"""Both layers of a gate begin with zeros, so neither gets a gradient other than zero.

The biases of attention, zero as well, stand further on and train: they are no excuse.

Expect: zero; *.gate.*; its gradient is exactly zero
"""

import torch
from torch import nn


class GatedBlock(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.mixing = nn.MultiheadAttention(width, 2, batch_first=True)
        self.gate = nn.Sequential(
            nn.Linear(width, width, bias=False),
            nn.GELU(),
            nn.Linear(width, width, bias=False),
            nn.Tanh(),
        )
        nn.init.zeros_(self.gate[0].weight)
        nn.init.zeros_(self.gate[2].weight)

    def forward(self, words, image):
        words = words + self.mixing(words, image, image, need_weights=False)[0]
        return words + self.gate(words) * words


class Segmenter(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.blocks = nn.ModuleList(GatedBlock(width) for _ in range(2))
        self.head = nn.Linear(width, 3)

    def forward(self, words, image):
        for block in self.blocks:
            words = block(words, image)
        return self.head(words)


torch.manual_seed(19)
model = Segmenter()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
for _ in range(6):
    words, image = torch.randn(4, 5, 8), torch.randn(4, 9, 8)
    labels = torch.randint(3, (4 * 5,))
    loss = nn.functional.cross_entropy(model(words, image).flatten(0, 1), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
