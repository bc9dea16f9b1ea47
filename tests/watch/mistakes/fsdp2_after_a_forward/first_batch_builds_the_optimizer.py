"""Under FSDP2 the optimizer is built in the first step, after that step's forward.

Expect: not in optimizer; *model.embed.weight; gets a gradient that nobody applies;
Expect: not in optimizer; *model.head.*; gets a gradient that nobody applies;
Allow: orphan; *; held by the optimizer, not by the model;
"""

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.fsdp import fully_shard


class Model(nn.Module):
    def __init__(self, vocabulary, width, depth):
        super().__init__()
        self.embed = nn.Embedding(vocabulary, width)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(width, 2, 16, dropout=0.0, batch_first=True)
            for _ in range(depth)
        )
        self.head = nn.Linear(width, vocabulary)

    def forward(self, tokens):
        x = self.embed(tokens)
        for block in self.blocks:
            x = block(x)
        return self.head(x)


class Trainer:
    def __init__(self, model):
        self.model = model
        self.optimizer = None

    def step(self, tokens):
        logits = self.model(tokens)
        if self.optimizer is None:
            self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-3)
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), tokens.flatten())
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()


def values(model):
    return {n: p.full_tensor().tolist() for n, p in model.named_parameters()}


dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
torch.manual_seed(0)
trainer = Trainer(Model(11, 8, 2))
for block in trainer.model.blocks:
    fully_shard(block)
fully_shard(trainer.model)
before = values(trainer.model)
for _ in range(3):
    print(trainer.step(torch.randint(11, (4, 5))))
after = values(trainer.model)
for name in before:
    root = name.startswith(("embed", "head"))
    assert (before[name] == after[name]) == root, name
dist.barrier()
dist.destroy_process_group()
