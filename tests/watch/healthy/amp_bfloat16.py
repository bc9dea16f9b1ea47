"""The forward runs under bfloat16 autocast while the weights stay in float32."""

import hashlib

import torch
from torch import nn

torch.manual_seed(7)
device = "cuda" if torch.cuda.is_available() else "cpu"

model = nn.Sequential(
    nn.Linear(16, 32), nn.LayerNorm(32), nn.GELU(), nn.Linear(32, 4)
).to(device)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
before = [p.detach().clone() for p in model.parameters()]
x = torch.randn(32, 16, device=device)
y = torch.randint(4, (32,), device=device)

for step in range(6):
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast(device_type=device, dtype=torch.bfloat16):
        logits = model(x)
        loss = nn.functional.cross_entropy(logits, y)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    print(f"step {step}: {loss.item()!r}")

assert logits.dtype is torch.bfloat16
assert not any(map(torch.equal, before, model.parameters()))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for value in model.state_dict().values():
    digest.update(value.cpu().numpy().tobytes())
print("digest", digest.hexdigest())
