"""Encoder and decoder are two modules, and the optimizer gets only the first of them.

Expect: not in optimizer; decoder.*; gets a gradient that nobody applies;
"""

from itertools import pairwise

import torch
from torch import nn


class Encoder(nn.Module):
    def __init__(self, words, width):
        super().__init__()
        self.embed = nn.Embedding(words, width)
        self.gru = nn.GRU(width, width)

    def forward(self, source):
        return self.gru(self.embed(source))[1]


class Decoder(nn.Module):
    def __init__(self, words, width):
        super().__init__()
        self.embed = nn.Embedding(words, width)
        self.gru = nn.GRU(width, width)
        self.out = nn.Linear(width, words)

    def forward(self, word, state):
        output, state = self.gru(self.embed(word)[None], state)
        return self.out(output[0]), state


def train(encoder, decoder, optimizer, source, target):
    state = encoder(source)
    loss = 0
    for word, following in pairwise(target):
        logits, state = decoder(word, state)
        loss = loss + nn.functional.cross_entropy(logits, following)
    encoder.zero_grad()
    decoder.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item() / (len(target) - 1)


def main():
    torch.manual_seed(96)
    encoder, decoder = Encoder(15, 6), Decoder(18, 6)
    optimizer = torch.optim.SGD(encoder.parameters(), lr=0.1)
    start = [p.tolist() for p in decoder.parameters()]
    for step in range(3):
        source, target = torch.randint(15, (4, 3)), torch.randint(18, (5, 3))
        print(step, train(encoder, decoder, optimizer, source, target))
    assert [p.tolist() for p in decoder.parameters()] == start
    assert all(p.grad.any() for p in decoder.parameters())
    assert encoder.embed.weight.grad.any()


if __name__ == "__main__":
    main()
