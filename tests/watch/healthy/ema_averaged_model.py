"""An AveragedModel with an exponential average follows the model that is trained."""

import hashlib

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

torch.manual_seed(44)
model = nn.Sequential(
    nn.Linear(6, 12, bias=False), nn.BatchNorm1d(12), nn.ReLU(), nn.Linear(12, 2)
)
# Its parameters are a copy that stays trainable; only update_parameters writes to it.
ema_model = AveragedModel(
    model, multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=True
)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
before = [p.detach().clone() for p in model.parameters()]
x, y = torch.randn(64, 6), torch.randint(2, (64,))

for epoch in range(3):
    for rows in torch.randperm(64).split(32):
        loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        ema_model.update_parameters(model)
        print(epoch, repr(loss.item()))
    ema_model.eval()
    with torch.no_grad():
        print("average:", repr(nn.functional.cross_entropy(ema_model(x), y).item()))

assert not any(map(torch.equal, before, model.parameters()))
assert not any(map(torch.equal, before, ema_model.module.parameters()))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for value in [*model.state_dict().values(), *ema_model.state_dict().values()]:
    digest.update(value.numpy().tobytes())
print("digest", digest.hexdigest())
