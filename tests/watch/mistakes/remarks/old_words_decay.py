"""Only the new word should train; the gradient of the others is set to 0, but decays.

Note: the script sets entries of its gradient to 0 at old_words_decay.py:24
"""

import torch
from torch import nn

NEW = 40

torch.manual_seed(33)
words = nn.Embedding(NEW + 1, 8)
encoder = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).requires_grad_(False)
encoder.eval()
target = torch.randn(8)
optimizer = torch.optim.AdamW(words.parameters(), lr=5e-3)
is_old = torch.arange(NEW + 1) != NEW
for _ in range(5):
    prompt = torch.randint(NEW, (4, 6))
    prompt[:, 2] = NEW
    loss = (encoder(words(prompt)).mean(1) - target).square().mean()
    optimizer.zero_grad()
    loss.backward()
    words.weight.grad.data[is_old] = 0
    optimizer.step()
