"""LoRA adds low-rank matrices to frozen layers, of which B starts at zero."""

import hashlib
import math

import torch
from torch import nn

torch.manual_seed(80)


class LoRALinear(nn.Module):
    def __init__(self, base, r=2, alpha=4):
        super().__init__()
        self.base = base
        self.base.requires_grad_(False)
        self.lora_A = nn.Parameter(torch.empty(r, base.in_features))
        self.lora_B = nn.Parameter(torch.zeros(base.out_features, r))
        self.scaling = alpha / r
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))

    def forward(self, x):
        return self.base(x) + x @ self.lora_A.T @ self.lora_B.T * self.scaling


def inject(model):
    for name, child in model.named_children():
        if isinstance(child, nn.Linear):
            setattr(model, name, LoRALinear(child))
        else:
            inject(child)


model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 4))
inject(model)
trainable = [p for p in model.parameters() if p.requires_grad]
optimizer = torch.optim.AdamW(trainable, lr=1e-2, weight_decay=0.0)
before = {name: p.detach().clone() for name, p in model.named_parameters()}
x, y = torch.randn(32, 6), torch.randint(4, (32,))
for step in range(5):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    if step == 0:
        assert all(p.grad.count_nonzero() == 0 for p in trainable[::2])
    optimizer.step()
    print(step, repr(loss.item()))

for name, p in model.named_parameters():
    assert torch.equal(p, before[name]) == (".base." in name), name
digest = hashlib.sha256(torch.get_rng_state().numpy())
for value in model.state_dict().values():
    digest.update(value.numpy().tobytes())
print("digest", digest.hexdigest())
