"""LoRA merges its matrices into the frozen weight to validate and takes them out."""

import hashlib

import torch
import torch.nn.functional as F
from torch import nn


class MergedLinear(nn.Linear):
    def __init__(self, inputs, outputs, r=2):
        super().__init__(inputs, outputs)
        self.weight.requires_grad = False
        self.bias.requires_grad = False
        self.lora_A = nn.Parameter(torch.randn(r, inputs) * 0.1)
        self.lora_B = nn.Parameter(torch.zeros(outputs, r))
        self.merged = False

    def train(self, mode=True):
        super().train(mode)
        delta = (self.lora_B @ self.lora_A).data
        if not mode and not self.merged:
            self.weight.data += delta
            self.merged = True
        elif mode and self.merged:
            self.weight.data -= delta
            self.merged = False
        return self

    def forward(self, x):
        out = F.linear(x, self.weight, self.bias)
        return out if self.merged else out + x @ self.lora_A.T @ self.lora_B.T


torch.manual_seed(81)
model = nn.Sequential(MergedLinear(5, 8), nn.ReLU(), MergedLinear(8, 1))
params = [p for p in model.parameters() if p.requires_grad]
before = [p.detach().clone() for p in params]
base = [layer.weight.clone() for layer in model[::2]]
optimizer = torch.optim.Adam(params, lr=1e-2)
for epoch in range(2):
    model.train()
    for _ in range(4):
        x = torch.randn(16, 5)
        loss = (model(x).squeeze(1) - x.sum(1)).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(epoch, repr(loss.item()))
    model.eval()
    with torch.no_grad():
        print("merged", repr(model(x).sum().item()))
model.train()

assert not any(map(torch.equal, before, params))
assert all(
    torch.allclose(w, layer.weight) for w, layer in zip(base, model[::2], strict=True)
)
digest = hashlib.sha256(torch.get_rng_state().numpy())
for value in model.state_dict().values():
    digest.update(value.numpy().tobytes())
print("digest", digest.hexdigest())
