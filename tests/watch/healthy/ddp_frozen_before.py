"""A backbone is frozen before DDP wraps the model, so DDP never waits for it."""

import hashlib

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(6, 12), nn.ReLU())
        self.head = nn.Linear(12, 2)

    def forward(self, x):
        return self.head(self.backbone(x))


def train(model):
    ddp = DistributedDataParallel(model)
    trainable = [p for p in ddp.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(trainable, lr=0.1, momentum=0.9)
    for step in range(5):
        x = torch.randn(16, 6)
        loss = nn.functional.cross_entropy(ddp(x), (x[:, 0] > 0).long())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(step, repr(loss.item()))


def main():
    torch.manual_seed(61)
    model = Classifier()
    model.backbone.requires_grad_(False)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    try:
        train(model)  # a DDP that outlives its group may wait forever when it is freed
    finally:
        dist.barrier()
        dist.destroy_process_group()

    for name, p in model.named_parameters():
        assert torch.equal(p, before[name]) == name.startswith("backbone"), name
    digest = hashlib.sha256(torch.get_rng_state().numpy())
    for value in model.state_dict().values():
        digest.update(value.numpy().tobytes())
    print("digest", digest.hexdigest())


if __name__ == "__main__":
    main()
