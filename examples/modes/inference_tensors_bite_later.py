"""
Inference tensors cannot be saved for backward, their clones can
================================================================

A tensor computed under ``inference_mode()`` stays an inference tensor outside, and
autograd refuses to save it. Train on a ``clone()`` made outside, or compute it under
``no_grad()``.
"""

# %%
import torch
from torch import nn

head = nn.Linear(2, 1)
with torch.inference_mode():
    features = torch.ones(4, 2) * 2
try:
    head(features)
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("an inference tensor was saved")
head(features.clone()).sum().backward()
print(head.weight.grad)
assert head.weight.grad.tolist() == [[8.0, 8.0]]

# %%
# Why does a sum work and a product not?
# --------------------------------------
# The backward of a sum needs neither term, so nothing is saved. The gradient of ``w``
# in ``w * features`` is computed with ``features``. An inference tensor has no version
# counter, so autograd could not tell if it is overwritten before the backward. If a
# frozen layer gets nothing but the features, nothing is recorded, and it works.
w = torch.ones(2, requires_grad=True)
(w + features).sum().backward()
assert w.grad.tolist() == [4.0, 4.0]
try:
    w * features
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("an inference tensor was saved")
assert message.startswith("Inference tensors cannot be saved for backward")
assert not nn.Linear(2, 1).requires_grad_(False)(features).requires_grad

# %%
# ``detach()`` is no cure: it copies nothing and returns an inference tensor again. A
# tensor made under ``no_grad()`` needs no cure.
assert features.detach().is_inference()
assert not features.clone().is_inference()
with torch.no_grad():
    ordinary = torch.ones(4, 2) * 2
assert (w * ordinary).requires_grad

# %%
# Training fails only after a validation: a cache (RoPE, positions, a mask) was filled
# ------------------------------------------------------------------------------------
# A module that builds a table in its first forward and keeps it gets an inference
# tensor, if that forward ran under ``inference_mode()``. The first training step then
# raises the error above; without the validation it does not. Build the table in
# ``__init__`` and register it as a buffer, or build it again when training finds an
# inference tensor, as `flash-attention
# <https://github.com/Dao-AILab/flash-attention/pull/299>`__ does. The same holds for
# ``functools.lru_cache``, and for the masks and key-value caches of a model. If the
# module is not yours, validate under ``no_grad()``: in Lightning with
# ``Trainer(inference_mode=False)``.


class Positions(nn.Linear):
    table, repairs = None, False

    def forward(self, x):
        stale = self.table is not None and self.table.is_inference()
        if self.table is None or (self.repairs and stale and torch.is_grad_enabled()):
            self.table = torch.arange(2.0)
        return super().forward(x) * self.table


outcomes = []
for mode, repairs in (
    (torch.inference_mode, False),  # wrong
    (torch.inference_mode, True),  # right
    (torch.no_grad, False),  # right
):
    layer = Positions(2, 2)
    layer.repairs = repairs
    with mode():
        layer(torch.ones(1, 2))
    try:
        layer(torch.ones(1, 2)).sum().backward()
    except RuntimeError as error:
        outcomes.append(str(error)[:46])
    else:
        outcomes.append("trains")
    print(f"{mode.__name__:15}{outcomes[-1]}")
assert outcomes == [
    "Inference tensors cannot be saved for backward",
    "trains",
    "trains",
]

# %%
# Why is weight.grad None and bias.grad not?
# ------------------------------------------
# Build ``nn.Linear`` under ``inference_mode()`` and train it on ordinary data. Its
# parameters require a gradient, and ``backward()`` raises no error.
import copy

with torch.inference_mode():
    head = nn.Linear(2, 1)
head(torch.ones(4, 2)).sum().backward()
print(head.weight.grad, head.bias.grad)
assert head.weight.requires_grad
assert head.weight.grad is None
assert head.bias.grad is not None

# %%
# The layer transposes its weight. A view of an inference tensor is an inference tensor
# again, and has no history. The bias is added to an ordinary tensor, and that is
# recorded.
assert head.weight.t().is_inference()
assert not head.weight.t().requires_grad

# %%
# The optimizer raises the error after SGD has already updated the bias. A deep copy
# made outside is an ordinary layer and trains.
bias = head.bias.item()
try:
    torch.optim.SGD(head.parameters(), lr=0.1).step()
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("an inference tensor was updated")
assert head.bias.item() != bias
trainable = copy.deepcopy(head)
assert not any(p.is_inference() for p in trainable.parameters())
trainable(torch.ones(4, 2)).sum().backward()
assert trainable.weight.grad is not None

# %% tags=["hide-input"]
# From the loss (diamond) the gradient reaches the bias (solid). The path to the weight
# (dashed) is cut (cross).
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 3))
ax.scatter(2, 0.5, s=900, marker="D", fc="none", ec="C0", lw=2)
for y, name in enumerate(["weight", "bias"]):
    cut = getattr(head, name).grad is None
    look = {"ec": "C2", "ls": "--"} if cut else {"ec": "C0"}
    ax.scatter(0, y, s=2500, marker="s", fc="none", lw=2, **look)
    ax.text(0, y, name, ha="center", va="center")
    way = [0.4, 1, 1.7], [y, y * 0.6 + 0.2, 0.5]
    ax.plot(*way, "C2--x" if cut else "C0-<", lw=2, ms=12, mew=3, markevery=[1])
ax.margins(0.2, 0.5)
ax.axis("off")
plt.show()

# %%
# Where it ends
# -------------
# - Other layers made there fail in other ways. In ``nn.Embedding`` the weight gets its
#   gradient. ``nn.Conv1d`` raises the first error of this page in its forward.
# - With ``fused=True`` the optimizer raises no error: it updates the bias and leaves
#   the weight unchanged.
# - ``load_state_dict()`` copies the values of inference tensors into an ordinary layer,
#   which stays ordinary. With ``assign=True`` it raises an error. But a frozen layer
#   takes the inference tensors without one.
with torch.inference_mode():
    embedding, conv = nn.Embedding(3, 2), nn.Conv1d(1, 1, 1)
    other = nn.Linear(2, 1)
embedding(torch.tensor([0])).sum().backward()
assert embedding.weight.grad is not None
try:
    conv(torch.ones(1, 1, 4))
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("the convolution saved an inference tensor")
assert message.startswith("Inference tensors cannot be saved for backward")

bias, weight = head.bias.item(), head.weight.tolist()
torch.optim.SGD(head.parameters(), lr=0.1, fused=True).step()
assert head.bias.item() != bias
assert head.weight.tolist() == weight

loaded = nn.Linear(2, 1)
loaded.load_state_dict(other.state_dict())
assert not loaded.weight.is_inference()
try:
    loaded.load_state_dict(other.state_dict(), assign=True)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("the layer took inference tensors as its parameters")
assert "Setting requires_grad=True on inference tensor" in message
loaded.requires_grad_(False).load_state_dict(other.state_dict(), assign=True)
assert loaded.weight.is_inference()

# %%
# Build models outside ``inference_mode()``. To cache features for training, use
# ``no_grad()``.
#
# Related: :doc:`no_grad_inference_mode_enable_grad`,
# :doc:`/gallery/three-ways/detach_is_not_no_grad`. Source:
# :torch:`torch.autograd.grad_mode.inference_mode`.
