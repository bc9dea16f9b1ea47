"""A linear warm-up begins with a step whose learning rate is zero."""

import hashlib

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR


def get_linear_schedule_with_warmup(optimizer, warmup_steps, training_steps):
    def lr_lambda(step):
        if step < warmup_steps:
            return step / max(1, warmup_steps)
        return max(0.0, (training_steps - step) / (training_steps - warmup_steps))

    return LambdaLR(optimizer, lr_lambda)


torch.manual_seed(85)
model = nn.Sequential(nn.Linear(4, 12), nn.LayerNorm(12), nn.ReLU(), nn.Linear(12, 3))
no_decay = [p for p in model.parameters() if p.ndim < 2]
decay = [p for p in model.parameters() if p.ndim >= 2]
optimizer = torch.optim.AdamW(
    [{"params": decay}, {"params": no_decay, "weight_decay": 0.0}],
    lr=1e-2,
    weight_decay=0.01,
)
scheduler = get_linear_schedule_with_warmup(optimizer, 3, 8)
before = [p.detach().clone() for p in model.parameters()]
x, y = torch.randn(32, 4), torch.randint(3, (32,))
for step in range(8):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, repr(scheduler.get_last_lr()[0]), repr(loss.item()))
    scheduler.step()
    if step == 0:
        assert all(map(torch.equal, before, model.parameters()))

assert not any(map(torch.equal, before, model.parameters()))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in model.parameters():
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
