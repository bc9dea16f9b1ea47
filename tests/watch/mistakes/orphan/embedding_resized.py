"""The word embeddings are resized for new words when the optimizer already exists.

Expect: orphan; *words.weight; held by the optimizer, not by the model;
Expect: not in optimizer; *words.weight; gets a gradient that nobody applies;
"""

import torch
from torch import nn


class Bigram(nn.Module):
    def __init__(self, vocabulary, width):
        super().__init__()
        self.words = nn.Embedding(vocabulary, width)
        self.hidden = nn.Linear(width, width)
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, tokens):
        return torch.tanh(self.hidden(self.words(tokens))) @ self.words.weight.T

    def resize(self, vocabulary):
        old = self.words.weight.data
        self.words = nn.Embedding(vocabulary, old.shape[1])
        self.words.weight.data[: len(old)] = old


class Trainer:
    def __init__(self, model):
        self.model = model
        named = (x for x in model.named_parameters() if x[0] != "bias")
        self.optimizer = torch.optim.AdamW(named, lr=1e-2)

    def add_words(self, count):
        self.model.resize(self.model.words.num_embeddings + count)

    def step(self, text):
        loss = nn.functional.cross_entropy(self.model(text[:-1]), text[1:])
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()


torch.manual_seed(45)
model = Bigram(10, 6)
model.bias.requires_grad_(False)
trainer = Trainer(model)
trainer.add_words(3)
start = model.words.weight.detach().clone()
for _ in range(4):
    print(trainer.step(torch.randint(13, (30,))))
assert torch.equal(model.words.weight, start)
assert model.words.weight.grad.any()
assert model.words.weight not in trainer.optimizer.state
assert model.hidden.weight in trainer.optimizer.state
