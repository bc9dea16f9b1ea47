"""
``Muon only supports 2D parameters``
====================================

Biases, norms and the kernels of convolutions have one or four dimensions. Give Muon the
matrices of the hidden layers, and all other parameters to AdamW.
"""

# %%
import torch
from torch import nn

model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4), nn.Linear(4, 2))
# Wrong: all parameters.
try:
    torch.optim.Muon(model.parameters())
except ValueError as error:
    print(f"ValueError: {error}")
else:
    raise AssertionError("Muon took a bias")
# Right: two optimizers, and each parameter is in one of them.
hidden = [p for p in model[:-1].parameters() if p.ndim == 2]
rest = [p for p in model.parameters() if all(p is not q for q in hidden)]
optimizers = [torch.optim.Muon(hidden), torch.optim.AdamW(rest)]
print(len(hidden), len(rest))
assert (len(hidden), len(rest)) == (2, 4)

# %%
# Both step, and all gradients are cleared
# ----------------------------------------
# Muon is in PyTorch :since:`2.9`. An optimizer clears only what it holds, so call
# ``zero_grad()`` of the model.
before = [p.clone() for p in model.parameters()]
model.zero_grad()
model(torch.randn(8, 4)).square().mean().backward()
for optimizer in optimizers:
    optimizer.step()
moved = [not p.equal(old) for p, old in zip(model.parameters(), before, strict=True)]
print(moved)
assert all(moved)

# %%
# Read on: :doc:`/gallery/recipes/two_optimizers`.
