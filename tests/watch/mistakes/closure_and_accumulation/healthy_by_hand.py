"""A character model is trained by hand, without any optimizer, and all of it moves."""

import torch
from torch import nn

text = "the quick brown fox jumps over the lazy dog "
letters = sorted(set(text))
index = torch.tensor([letters.index(c) for c in text])


class Char(nn.Module):
    def __init__(self, letters, width=10):
        super().__init__()
        self.embed = nn.Embedding(letters, width)
        self.rnn = nn.RNN(width, width)
        self.out = nn.Linear(width, letters)

    def forward(self, x, hidden=None):
        y, hidden = self.rnn(self.embed(x), hidden)
        return self.out(y), hidden


torch.manual_seed(5)
char = Char(len(letters))
velocity = [torch.zeros_like(p) for p in char.parameters()]
start = [p.tolist() for p in char.parameters()]
hidden = None
for chunk in index[:-4].view(4, 10):
    logits, hidden = char(chunk[:-1], hidden)
    hidden = hidden.detach()
    loss = nn.functional.cross_entropy(logits, chunk[1:])
    char.zero_grad()
    loss.backward()
    with torch.no_grad():
        for v, p in zip(velocity, char.parameters(), strict=True):
            v.mul_(0.9).add_(p.grad)
            p.sub_(v, alpha=0.05)
    print("loss", loss.item())
for before, parameter in zip(start, char.parameters(), strict=True):
    assert parameter.tolist() != before
