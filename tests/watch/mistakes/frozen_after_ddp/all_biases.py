"""All biases are frozen after wrapping, and the script stops at the error that it gets.

Expect: frozen after DDP; *.bias; ;
"""

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel as Parallel

dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
torch.manual_seed(25)
network = Parallel(
    nn.Sequential(nn.Linear(4, 6), nn.PReLU(), nn.Linear(6, 6), nn.Linear(6, 1)),
    gradient_as_bucket_view=True,
)
for module in network.modules():
    if isinstance(module, nn.Linear):
        module.bias.requires_grad_(False)
optimizer = torch.optim.Adagrad(network.parameters(), lr=0.1)
done = 0
try:
    for x in torch.randn(5, 10, 4):
        loss = (network(x).squeeze(1) - x.norm(dim=1)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        done += 1
except RuntimeError as error:
    print("training stopped:", str(error).split(".", maxsplit=1)[0])
dist.barrier()
dist.destroy_process_group()
print("steps:", done)
assert done == 1
