"""Weight averaging starts after two epochs and refreshes the batch statistics."""

import hashlib

import torch
from torch import nn
from torch.optim.swa_utils import SWALR, AveragedModel, update_bn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(45)
model = nn.Sequential(
    nn.Linear(4, 8, bias=False), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 1)
)
loader = DataLoader(TensorDataset(torch.randn(32, 4)), batch_size=8)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
swa_model = AveragedModel(model)  # a trainable copy that only averages write to
swa_scheduler = SWALR(optimizer, swa_lr=0.02, anneal_epochs=2)
before = [p.detach().clone() for p in model.parameters()]

for epoch in range(4):
    for (x,) in loader:
        optimizer.zero_grad()
        loss = (model(x).squeeze(1) - x.sum(1)).pow(2).mean()
        loss.backward()
        optimizer.step()
        print(epoch, repr(loss.item()))
    if epoch >= 2:
        swa_model.update_parameters(model)
        swa_scheduler.step()
update_bn(loader, swa_model)

assert not any(map(torch.equal, before, model.parameters()))
assert not any(map(torch.equal, before, swa_model.module.parameters()))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for value in [*model.state_dict().values(), *swa_model.state_dict().values()]:
    digest.update(value.numpy().tobytes())
print("digest", digest.hexdigest())
