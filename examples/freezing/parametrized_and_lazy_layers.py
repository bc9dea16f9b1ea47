"""
Parametrized and lazy layers: freeze .original, and freeze after the first forward
==================================================================================

The weight of a parametrized layer is computed, so it can't be frozen: freeze what it is
computed from. The weight of a lazy layer is not there before the first forward.
"""

# %%
# you can only change requires_grad flags of leaf variables
# ---------------------------------------------------------
# With weight norm, spectral norm or a mask, ``layer.weight`` is a result, computed anew
# at each use. The parameter is what it is computed from: ``.original``.
import torch
from torch.nn.utils import parametrize


class Mask(torch.nn.Module):
    def forward(self, weight):
        return weight * torch.tensor([[1.0, 0.0, 1.0]])


layer = torch.nn.Linear(3, 1, bias=False)
parametrize.register_parametrization(layer, "weight", Mask())
try:
    layer.weight.requires_grad_(False)
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("a computed weight has a flag")
print([name for name, _ in layer.named_parameters()])
layer.parametrizations.weight.original.requires_grad_(False)
assert not layer.weight.requires_grad

# %%
# ``layer.requires_grad_(False)`` does the same for the whole layer. The flag outlives
# the parametrization: remove it, and the weight is still frozen.
parametrize.remove_parametrizations(layer, "weight")
assert not layer.weight.requires_grad

# %%
# Freeze the length, train the direction
# --------------------------------------
# Weight norm splits a weight into its length, ``original0``, and its direction,
# ``original1``. Each has a flag.
layer = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(2, 1))
length = layer.parametrizations.weight.original0.requires_grad_(False)
direction = layer.parametrizations.weight.original1
layer(torch.ones(1, 2)).sum().backward()
print(length.grad is None, direction.grad is not None)
assert length.grad is None
assert direction.grad is not None

# %%
# Attempted to use an uninitialized parameter
# -------------------------------------------
# A lazy layer takes its shape from the first batch. Before that, ``requires_grad_()``
# raises. ``p.requires_grad = False`` works, and still holds when the weight is made.
lazy = torch.nn.LazyLinear(2)
try:
    lazy.requires_grad_(False)
except ValueError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("a lazy layer has its weight")
for parameter in lazy.parameters():
    parameter.requires_grad = False
lazy(torch.ones(3, 4))
assert lazy.weight.shape == (2, 4)
assert not lazy.weight.requires_grad

# %% tags=["hide-input"]
# What each layer really has: parameters that can be frozen, and the weight that they
# make (dashed), which can't.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5.5, 2.6), layout="constrained")
for y, sources in enumerate((["original"], ["original0", "original1"])):
    for x, name in enumerate(sources):
        ax.scatter(x, y, s=300, marker="s", fc="none", ec="C1", hatch="//////", lw=2)
        ax.annotate(name, (x, y - 0.28), ha="center")
        bend = f"arc3,rad={0.18 * (len(sources) - 1 - x)}"
        arrow = {"arrowstyle": "->", "connectionstyle": bend, "ec": "C1", "lw": 2}
        ax.annotate("", (2.85, y), (x + 0.15, y), arrowprops=arrow)
    ax.scatter(3, y, s=300, marker="s", fc="none", ec="C2", ls="--", lw=2)
    ax.annotate("weight", (3, y - 0.28), ha="center")
ax.set_yticks([0, 1], ["Mask", "weight_norm"])
ax.set(xticks=[], xlim=(-0.6, 3.6), ylim=(1.5, -0.6))
ax.set_frame_on(False)
plt.show()

# %%
# Freeze the whole module, or the ``.original`` of one weight (:torch:`Parametrizations
# <generated/torch.nn.utils.parametrize.register_parametrization.html>`). Send one batch
# through a network with lazy layers before you freeze it
# (:torch:`torch.nn.parameter.UninitializedParameter`).
#
# Related: :doc:`nn_parameter_unfreezes`, :doc:`/gallery/graph/leaf_or_not`,
# :doc:`/gallery/still-moves/other_buffers_that_move`.
