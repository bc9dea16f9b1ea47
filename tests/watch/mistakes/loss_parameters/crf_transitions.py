"""The transitions of a CRF are parameters of the loss, and only the tagger is trained.

Expect: not in optimizer; crf.*; gets a gradient that nobody applies;
"""

import torch
from torch import nn


class CRF(nn.Module):
    def __init__(self, tags):
        super().__init__()
        self.transitions = nn.Parameter(torch.empty(tags, tags).uniform_(-0.1, 0.1))
        self.start = nn.Parameter(torch.zeros(tags))

    def forward(self, emissions, tags):
        return (self._partition(emissions) - self._score(emissions, tags)).mean()

    def _score(self, emissions, tags):
        score = self.start[tags[:, 0]] + emissions[:, 0].gather(1, tags[:, :1])[:, 0]
        for t in range(1, tags.shape[1]):
            score = score + self.transitions[tags[:, t - 1], tags[:, t]]
            score = score + emissions[:, t].gather(1, tags[:, t : t + 1])[:, 0]
        return score

    def _partition(self, emissions):
        alpha = self.start + emissions[:, 0]
        for t in range(1, emissions.shape[1]):
            scores = alpha[:, :, None] + self.transitions + emissions[:, t, None]
            alpha = scores.logsumexp(1)
        return alpha.logsumexp(1)


class Tagger(nn.Module):
    def __init__(self, words, tags):
        super().__init__()
        self.embed = nn.Embedding(words, 6, sparse=True)
        self.lstm = nn.LSTM(6, 5, bidirectional=True, batch_first=True)
        self.emit = nn.Linear(10, tags)

    def forward(self, sentence):
        return self.emit(self.lstm(self.embed(sentence))[0])


torch.manual_seed(19)
tagger, crf = Tagger(30, 4), CRF(4)
dense = [p for n, p in tagger.named_parameters() if not n.startswith("embed")]
optimizers = [
    torch.optim.SparseAdam(tagger.embed.parameters(), lr=1e-2),
    torch.optim.Adam(dense, lr=1e-2),
]
before = [p.tolist() for p in crf.parameters()]
for _ in range(3):
    sentence, tags = torch.randint(30, (5, 7)), torch.randint(4, (5, 7))
    loss = crf(tagger(sentence), tags)
    for optimizer in optimizers:
        optimizer.zero_grad()
    loss.backward()
    for optimizer in optimizers:
        optimizer.step()
    print("negative log likelihood", loss.item())
assert [p.tolist() for p in crf.parameters()] == before
assert crf.transitions.grad.any()
assert tagger.emit.bias.grad.any()
