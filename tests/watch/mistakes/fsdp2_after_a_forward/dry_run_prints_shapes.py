"""Under FSDP2 a dry run that prints shapes comes before the optimizer is built.

Expect: not in optimizer; net.stem.*; gets a gradient that nobody applies;
Expect: not in optimizer; net.scale; gets a gradient that nobody applies;
Allow: orphan; *; held by the optimizer, not by the model;
"""

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3)
        self.body = nn.Sequential(nn.Conv2d(4, 4, 3), nn.GELU(), nn.Flatten())
        self.scale = nn.Parameter(torch.ones(64))

    def forward(self, x):
        return self.scale * self.body(self.stem(x))


def summary(model, example):
    shapes = {}

    def note(module, args, output):
        shapes[type(module).__name__] = tuple(output.shape)

    hooks = [module.register_forward_hook(note) for module in model.modules()]
    model(example)
    for hook in hooks:
        hook.remove()
    return shapes


def main():
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    mesh = init_device_mesh("cpu", (1,))
    torch.manual_seed(1)
    net = Net()
    fully_shard(net.body, mesh=mesh)
    fully_shard(net, mesh=mesh)
    start = {n: p.full_tensor().clone() for n, p in net.named_parameters()}
    print(summary(net, torch.zeros(1, 1, 8, 8)))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for _ in range(4):
        x = torch.randn(3, 1, 8, 8)
        loss = (net(x).mean(1) - x.amax((1, 2, 3))).square().mean()
        loss.backward()
        optimizer.step()
        net.zero_grad()
        print("loss", loss.item())
    held = {id(p) for p in optimizer.param_groups[0]["params"]}
    for name, parameter in net.named_parameters():
        moved = not torch.equal(parameter.full_tensor(), start[name])
        assert moved == (id(parameter) in held) == name.startswith("body"), name
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
