"""
Parametrized and lazy layers: freeze .original, and freeze after the first forward
==================================================================================

The weight of a parametrized layer is computed, so it can't be frozen: freeze what it is
computed from. The weight of a lazy layer has no shape before the first forward.
"""

# %%
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize

layer = parametrizations.spectral_norm(nn.Linear(3, 2, bias=False))
try:
    layer.weight.requires_grad_(False)  # wrong
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("a computed weight was frozen")

layer.parametrizations.weight.original.requires_grad_(False)  # right
print([(n, p.requires_grad) for n, p in layer.named_parameters()])
assert not layer.weight.requires_grad

# %%
# Which parameters does a parametrized layer have?
# ------------------------------------------------
# One named ``original``, or several: weight norm has a length, ``original0``, and a
# direction, ``original1``, and each can be frozen alone. A parametrization can have
# parameters of its own, too, as LoRA does: then ``original`` is not enough. All of them
# at once: ``layer.requires_grad_(False)``.
normed = parametrizations.weight_norm(nn.Linear(2, 1))
length = normed.parametrizations.weight.original0.requires_grad_(False)
direction = normed.parametrizations.weight.original1
normed(torch.ones(1, 2)).sum().backward()
print(length.grad is None, direction.grad is not None)
assert length.grad is None
assert direction.grad is not None


class LowRank(nn.Module):
    def __init__(self):
        super().__init__()
        self.left = nn.Parameter(torch.ones(2, 1))
        self.right = nn.Parameter(torch.zeros(1, 3))

    def forward(self, weight):
        return weight + self.left @ self.right


adapted = nn.Linear(3, 2)
parametrize.register_parametrization(adapted, "weight", LowRank())
adapted.parametrizations.weight.original.requires_grad_(False)
assert adapted.weight.requires_grad
adapted.requires_grad_(False)
assert not adapted.weight.requires_grad

# %% tags=["hide-input"]
# What each layer has: parameters that can be frozen, and the weight that is computed
# from them (dashed), which can't.
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
ax.set_yticks([0, 1], ["spectral_norm", "weight_norm"])
ax.set(xticks=[], xlim=(-0.6, 3.6), ylim=(1.5, -0.6))
ax.set_frame_on(False)
plt.show()

# %%
# weight_g, weight_v, weight_orig: weight_norm and spectral_norm of older code
# ----------------------------------------------------------------------------
# ``nn.utils.weight_norm``, as in HiFi-GAN, gives a layer ``weight_g`` (the length) and
# ``weight_v`` (the direction), and ``nn.utils.spectral_norm`` gives it ``weight_orig``.
# Freeze these, or the whole layer. Here, too, ``layer.weight`` is computed. In
# ``parametrizations.weight_norm`` the two are called ``original0`` and ``original1``.
# It loads a checkpoint with the old names, so a warning that
# ``parametrizations.weight.original0`` was not initialized (such as that of Wav2Vec2)
# may be about the name alone: compare the values after loading. The old function does
# not load the new names.
import warnings

with warnings.catch_warnings(action="ignore"):
    old = nn.utils.weight_norm(nn.Linear(2, 1))  # deprecated
new = parametrizations.weight_norm(nn.Linear(2, 1))
for layer in (old, new):
    print([name for name, _ in layer.named_parameters()])
assert {name for name, _ in old.named_parameters()} == {"bias", "weight_g", "weight_v"}
with torch.no_grad():
    old.weight_g.fill_(3)
new.load_state_dict(old.state_dict())
assert new.parametrizations.weight.original0.item() == 3
try:
    old.load_state_dict(new.state_dict())
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("the new names were loaded")
assert 'Missing key(s) in state_dict: "weight_g", "weight_v"' in message
old.requires_grad_(False)
old(torch.ones(1, 2))
assert not old.weight.requires_grad
spectral = nn.utils.spectral_norm(nn.Linear(2, 1))
assert "weight_orig" in dict(spectral.named_parameters())

# %%
# Attempted to use an uninitialized parameter
# -------------------------------------------
# A lazy layer takes its shape from the first batch. Before that, ``requires_grad_()``
# raises an error. ``p.requires_grad = False`` works, and still holds when the weight is
# made. Or send a batch through the network before you freeze it, in ``eval()``, so that
# no statistics change.
lazy = nn.LazyLinear(2)
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

network = nn.Sequential(nn.LazyLinear(2), nn.LazyBatchNorm1d()).eval()
with torch.no_grad():
    network(torch.ones(3, 4))
network.requires_grad_(False)
assert network[0].weight.shape == (2, 4)
assert not network[1].running_mean.any()

# %% tags=["hide-input"]
# Where it ends
# -------------
# - Spectral norm updates buffers in training mode, so the computed weight changes,
#   although its parameter is frozen. ``eval()`` prevents that.
# - If you remove a parametrization with one ``original``, the weight is still frozen.
#   Not so with weight norm: if one of its two parameters is frozen, the weight trains
#   afterwards; if both are, it becomes a buffer. Freeze after you remove it.
# - ``torch.nn.utils.prune`` works without parametrizations: freeze ``weight_orig``.
from torch.nn.utils import prune

torch.manual_seed(0)
layer = parametrizations.spectral_norm(nn.Linear(64, 64)).requires_grad_(False)
assert not layer.weight.equal(layer.weight)
layer.eval()
assert layer.weight.equal(layer.weight)

parametrize.remove_parametrizations(layer, "weight")
assert not layer.weight.requires_grad
parametrize.remove_parametrizations(normed, "weight")
assert normed.weight.requires_grad
normed = parametrizations.weight_norm(nn.Linear(2, 1)).requires_grad_(False)
parametrize.remove_parametrizations(normed, "weight")
assert [name for name, _ in normed.named_buffers()] == ["weight"]
pruned = prune.identity(nn.Linear(2, 1), "weight")
assert "weight_orig" in dict(pruned.named_parameters())

# %%
# Source: :torch:`Parametrizations
# <generated/torch.nn.utils.parametrize.register_parametrization.html>` and
# :torch:`torch.nn.parameter.UninitializedParameter`.
#
# Related: :doc:`nn_parameter_unfreezes`, :doc:`/gallery/graph/leaf_or_not`,
# :doc:`/gallery/still-moves/other_buffers_that_move`.
