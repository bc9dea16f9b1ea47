"""Under FSDP2 a validation as a sanity check comes before the optimizers are set up.

Expect: not in optimizer; model.3.*; gets a gradient that nobody applies;
Allow: orphan; *; held by the optimizer, not by the model;
"""

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.fsdp import fully_shard


def build_model():
    model = nn.Sequential(nn.Linear(6, 12), nn.Linear(12, 12), nn.Tanh())
    model.append(nn.Linear(12, 2))
    fully_shard(model[0])
    fully_shard(model[1])
    return fully_shard(model)


@torch.no_grad()
def validate(model, data):
    model.eval()
    correct = sum((model(x).argmax(1) == y).float().mean().item() for x, y in data)
    model.train()
    return correct / len(data)


def configure_optimizers(model):
    decay = [p for p in model.parameters() if p.ndim > 1]
    rest = [p for p in model.parameters() if p.ndim <= 1]
    return torch.optim.AdamW(
        [{"params": decay, "weight_decay": 0.01}, {"params": rest}], lr=0.01
    )


dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
torch.manual_seed(4)
x = torch.randn(4, 16, 6)
data = [(batch, (batch.sum(1) > 0).long()) for batch in x]
model = build_model()
before = [p.to_local().tolist() for p in model.parameters()]
print("sanity check", validate(model, data[:2]))
optimizer = configure_optimizers(model)
for batch, labels in data:
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(batch), labels)
    loss.backward()
    optimizer.step()
    print(loss.item())
print("accuracy", validate(model, data))
model.reshard()
after = [p.to_local().tolist() for p in model.parameters()]
assert after[-2:] == before[-2:]
assert after[0] != before[0]
assert after[2] != before[2]
dist.barrier()
dist.destroy_process_group()
