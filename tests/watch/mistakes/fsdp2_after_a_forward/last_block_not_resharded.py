"""Under FSDP2 the last block is not resharded, and the memory is measured too early.

Expect: not in optimizer; decoder.blocks.2.*; gets a gradient that nobody applies;
Expect: not in optimizer; decoder.out.weight; gets a gradient that nobody applies;
Allow: orphan; *; held by the optimizer, not by the model;
"""

from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.fsdp import fully_shard


@dataclass
class Settings:
    width: int = 6
    depth: int = 3
    steps: int = 3
    lr: float = 0.02


class Decoder(nn.Module):
    def __init__(self, settings):
        super().__init__()
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Linear(settings.width, settings.width), nn.Softplus())
            for _ in range(settings.depth)
        )
        self.out = nn.Linear(settings.width, 1, bias=False)

    def forward(self, x):
        for block in self.blocks:
            x = x + block(x)
        return self.out(x)


def shard(decoder):
    last = len(decoder.blocks) - 1
    for index, block in enumerate(decoder.blocks):
        fully_shard(block, reshard_after_forward=index < last)
    fully_shard(decoder)


def activations(decoder, x):
    sizes = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda t: sizes.append(t.numel()) or t, lambda t: t
    ):
        decoder(x)
    return sum(sizes)


settings = Settings()
dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
torch.manual_seed(8)
decoder = Decoder(settings)
shard(decoder)
print("saved numbers:", activations(decoder, torch.randn(2, settings.width)))
optimizer = torch.optim.RMSprop(decoder.parameters(), lr=settings.lr)
losses = []
for _ in range(settings.steps):
    x = torch.randn(10, settings.width)
    loss = (decoder(x) - x.sum(1, keepdim=True)).abs().mean()
    loss.backward()
    optimizer.step()
    decoder.zero_grad()
    losses.append(loss.item())
print(losses)
assert decoder.blocks[0][0].weight in optimizer.state
held = [id(p) for p in optimizer.param_groups[0]["params"]]
assert id(decoder.blocks[1][0].weight) in held
assert id(decoder.blocks[2][0].weight) not in held
assert id(decoder.out.weight) not in held
assert len(optimizer.state) == 4
torch.manual_seed(8)
start = Decoder(settings)
assert torch.equal(start.out.weight, decoder.out.weight.full_tensor())
dist.barrier()
dist.destroy_process_group()
