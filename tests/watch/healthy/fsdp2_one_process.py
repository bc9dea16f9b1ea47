"""FSDP2 shards each block and the root of a small transformer in one process."""

import hashlib

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard


class Block(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(
            nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim)
        )

    def forward(self, x):
        return x + self.mlp(self.norm(x))


class Model(nn.Module):
    def __init__(self, dim=8, depth=2):
        super().__init__()
        self.embed = nn.Embedding(10, dim)
        self.blocks = nn.ModuleList(Block(dim) for _ in range(depth))
        self.head = nn.Linear(dim, 10)

    def forward(self, tokens):
        x = self.embed(tokens)
        for block in self.blocks:
            x = block(x)
        return self.head(x.flatten(0, 1))


torch.manual_seed(65)
dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
mesh = init_device_mesh("cpu", (1,))
model = Model()
for block in model.blocks:
    fully_shard(block, mesh=mesh)
fully_shard(model, mesh=mesh)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
before = {name: p.full_tensor().clone() for name, p in model.named_parameters()}
tokens = torch.randint(10, (4, 9))
for step in range(5):
    logits = model(tokens[:, :-1])
    loss = nn.functional.cross_entropy(logits, tokens[:, 1:].flatten())
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    print(step, repr(loss.item()))

digest = hashlib.sha256(torch.get_rng_state().numpy())
for name, p in model.named_parameters():
    value = p.full_tensor().detach()
    assert not torch.equal(value, before[name]), name
    digest.update(value.numpy().tobytes())
dist.barrier()
dist.destroy_process_group()
print("digest", digest.hexdigest())
