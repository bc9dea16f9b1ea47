"""A bidirectional GRU reads packed sequences; a cell decodes with teacher forcing."""

import hashlib
import random

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

random.seed(107)
torch.manual_seed(107)


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(12, 8, padding_idx=0)
        self.gru = nn.GRU(8, 8, bidirectional=True, batch_first=True)
        self.merge = nn.Linear(16, 8)

    def forward(self, tokens, lengths):
        packed = pack_padded_sequence(
            self.embedding(tokens), lengths, batch_first=True, enforce_sorted=False
        )
        outputs, hidden = self.gru(packed)
        outputs, _ = pad_packed_sequence(outputs, batch_first=True)
        state = self.merge(torch.cat([hidden[0], hidden[1]], dim=1))
        return outputs, torch.tanh(state + self.merge(outputs.mean(1)))


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(12, 8)
        self.cell = nn.GRUCell(8, 8)
        self.out = nn.Linear(8, 12)

    def forward(self, token, state):
        state = self.cell(torch.relu(self.embedding(token)), state)
        return self.out(state), state


encoder, decoder = Encoder(), Decoder()
encoder_optimizer = torch.optim.SGD(encoder.parameters(), lr=0.2)
decoder_optimizer = torch.optim.SGD(decoder.parameters(), lr=0.2)
weights = [*encoder.parameters(), *decoder.parameters()]
before = [p.detach().clone() for p in weights]
for step in range(6):
    lengths = torch.randint(2, 6, (8,))
    tokens = pad_sequence(
        [torch.randint(1, 12, (n,)) for n in lengths], batch_first=True
    )
    _, state = encoder(tokens, lengths)
    token = torch.ones(8, dtype=torch.long)
    loss = 0
    teacher_forcing = random.random() < 0.5
    for target in tokens.flip(1).T:
        logits, state = decoder(token, state)
        loss = loss + nn.functional.cross_entropy(logits, target)
        token = target if teacher_forcing else logits.topk(1)[1].squeeze(1).detach()
    encoder_optimizer.zero_grad()
    decoder_optimizer.zero_grad()
    loss.backward()
    encoder_optimizer.step()
    decoder_optimizer.step()
    print(step, teacher_forcing, repr(loss.item()))

assert not any(map(torch.equal, before, weights))
digest = hashlib.sha256(torch.get_rng_state().numpy())
digest.update(repr(random.getstate()).encode())
for p in weights:
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
