"""An LSTM carries its detached state from one chunk of a text to the next."""

import hashlib

import torch
from torch import nn

torch.manual_seed(106)


class RNNModel(nn.Module):
    def __init__(self, tokens=9, hidden=12):
        super().__init__()
        self.encoder = nn.Embedding(tokens, hidden)
        self.rnn = nn.LSTM(hidden, hidden, num_layers=2, dropout=0.1)
        self.decoder = nn.Linear(hidden, tokens)

    def forward(self, inputs, hidden):
        output, hidden = self.rnn(self.encoder(inputs), hidden)
        return self.decoder(output), hidden

    def init_hidden(self, batch):
        weight = next(self.parameters())
        return weight.new_zeros(2, batch, 12), weight.new_zeros(2, batch, 12)


def repackage_hidden(h):
    """Wraps hidden states in new tensors, to detach them from their history."""
    if isinstance(h, torch.Tensor):
        return h.detach()
    return tuple(repackage_hidden(v) for v in h)


def train():
    model.train()
    hidden = model.init_hidden(4)
    for start in range(0, 40, 8):
        data, targets = source[start : start + 8], source[start + 1 : start + 9]
        hidden = repackage_hidden(hidden)
        model.zero_grad()
        output, hidden = model(data, hidden)
        loss = criterion(output.flatten(0, 1), targets.flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.25)
        for p in model.parameters():
            p.data.add_(p.grad, alpha=-5.0)
        print(start, repr(loss.item()))


source = torch.arange(41 * 4).view(4, 41).T * 2 % 9
model = RNNModel()
criterion = nn.CrossEntropyLoss()
before = [p.detach().clone() for p in model.parameters()]
train()
train()

assert not any(map(torch.equal, before, model.parameters()))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in model.parameters():
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
