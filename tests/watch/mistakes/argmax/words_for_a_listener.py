"""A speaker says the word of its largest logit to a listener, and only that one learns.

Expect: cut; speaker.*; argmax() is not differentiable; # blame
"""

import torch
from torch import nn


class Speaker(nn.Module):
    def __init__(self, words):
        super().__init__()
        self.see = nn.Linear(6, 10)
        self.say = nn.Linear(10, words)

    def forward(self, picture):
        logits = self.say(torch.relu(self.see(picture)))
        return logits.argmax(-1)  # blame


class Listener(nn.Module):
    def __init__(self, words):
        super().__init__()
        self.hear = nn.Embedding(words, 8)
        self.see = nn.Linear(6, 8)

    def forward(self, word, pictures):
        return self.hear(word) @ self.see(pictures).T


torch.manual_seed(0)
speaker, listener = Speaker(5), Listener(5)
optimizer = torch.optim.Adam([*speaker.parameters(), *listener.parameters()], lr=1e-2)
for game in range(3):
    pictures = torch.randn(12, 6)
    guess = listener(speaker(pictures), pictures)
    loss = nn.functional.cross_entropy(guess, torch.arange(12))
    loss = loss + nn.functional.cross_entropy(guess.T, torch.arange(12))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(game, loss.item())
assert all(p.grad is None for p in speaker.parameters())
assert not any(p in optimizer.state for p in speaker.parameters())
assert all(p in optimizer.state for p in listener.parameters())
