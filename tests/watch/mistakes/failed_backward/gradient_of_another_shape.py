"""The backward of a transform in a package returns a gradient of half the length.

Expect: failed; *; Haar; # blame
Raises: returned an invalid gradient at index 0
"""

import torch
from torch import nn
from wavelets.haar import transform

torch.manual_seed(1)
denoise = nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 16))
mix = nn.Parameter(torch.ones(2, 1, 1))
optimizer = torch.optim.NAdam([*denoise.parameters(), mix], lr=2e-3)
clean = torch.sin(torch.linspace(0, 6, 16)).repeat(8, 1)
for _ in range(3):
    restored = denoise(clean + 0.1 * torch.randn(8, 16))
    assert restored.requires_grad
    loss = (mix * (transform(restored) - transform(clean)).abs()).mean()
    print(f"{loss:.5f}")
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
