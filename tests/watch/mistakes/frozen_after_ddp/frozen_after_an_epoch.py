"""The word embeddings are frozen after the first epoch, inside of a model in DDP.

Expect: frozen after DDP; *embed.weight; ;
Raises: Expected to have finished reduction in the prior iteration
"""

import torch
import torch.distributed as dist
from torch import nn


class Sentiment(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(50, 6)
        self.encode = nn.LSTM(6, 8, batch_first=True)
        self.score = nn.Linear(8, 2)

    def forward(self, tokens):
        _, (hidden, _) = self.encode(self.embed(tokens))
        return self.score(hidden[-1])


class Trainer:
    def __init__(self, freeze_from):
        self.model = nn.parallel.DistributedDataParallel(Sentiment())
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3)
        self.freeze_from = freeze_from

    def epoch(self, number):
        if number == self.freeze_from:
            self.model.module.embed.weight.requires_grad_(False)
        tokens, labels = torch.randint(50, (8, 6)), torch.randint(2, (8,))
        loss = nn.functional.cross_entropy(self.model(tokens), labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()


dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
torch.manual_seed(61)
trainer = Trainer(freeze_from=1)
for number in range(4):
    print(number, trainer.epoch(number))
    assert number < 2
