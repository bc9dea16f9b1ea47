"""DistributedDataParallel trains in one gloo process with a store in memory."""

import hashlib

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel as DDP

torch.manual_seed(60)
dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
model = DDP(nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 2)))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
before = [p.detach().clone() for p in model.parameters()]
x, y = torch.randn(32, 6), torch.randint(2, (32,))
for step in range(6):
    if step % 2 == 0:
        optimizer.zero_grad(set_to_none=True)
        with model.no_sync():
            nn.functional.cross_entropy(model(x[:16]), y[:16]).backward()
    loss = nn.functional.cross_entropy(model(x[16:]), y[16:])
    loss.backward()
    optimizer.step()
    if dist.get_rank() == 0:
        print(step, repr(loss.item()))
# The thread of Gloo drops its last result under the interpreter's lock, for which it
# would wait forever if the group ended before: a barrier is behind that result.
dist.barrier()
dist.destroy_process_group()

assert not any(map(torch.equal, before, model.parameters()))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for value in model.module.state_dict().values():
    digest.update(value.numpy().tobytes())
print("digest", digest.hexdigest())
