"""
nn.Parameter(frozen) trains again, and nn.Parameter(result) is cut off
======================================================================

``nn.Parameter(x)`` ignores both the flag of ``x`` and its history: the new parameter
requires a gradient, and no gradient reaches what ``x`` was computed from.
"""

# %%
# I copied a frozen weight, and it trains
# ---------------------------------------
# ``nn.Parameter`` sets ``requires_grad=True`` unless you pass another value, whatever
# the flag of the source.
import torch

frozen = torch.nn.Linear(2, 2).requires_grad_(False).weight
parameter = torch.nn.Parameter(frozen)
kept = torch.nn.Parameter(frozen, requires_grad=frozen.requires_grad)
print(frozen.requires_grad, parameter.requires_grad, kept.requires_grad)
assert not frozen.requires_grad
assert parameter.requires_grad
assert not kept.requires_grad

# %%
# It is no copy, either: both use the same memory, so training the one moves the frozen
# other.
assert parameter.data_ptr() == frozen.data_ptr()
before = frozen.clone()
parameter.sum().backward()
torch.optim.SGD([parameter], lr=0.1).step()
assert not torch.equal(frozen, before)

# %%
# I made a weight from another one, and that one doesn't learn
# ------------------------------------------------------------
# A parameter is a leaf: the graph ends there. Made of a result, it cuts the graph
# without an error.
scale = torch.ones(2, requires_grad=True)
weight = torch.nn.Parameter(scale * 2)
weight.sum().backward()
print(weight.is_leaf, weight.grad, scale.grad)
assert weight.is_leaf
assert scale.grad is None

# %%
# Assigning the result to ``layer.weight`` is refused. That is better: you notice.
layer = torch.nn.Linear(2, 2)
try:
    layer.weight = scale * torch.ones(2, 2)
except TypeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("a result became a parameter")

# %%
# Compute the weight where it is used
# -----------------------------------
# Computed in the forward and passed to a function, here ``linear``, it stays in the
# graph. For a layer that exists, a parametrization does that.
output = torch.nn.functional.linear(torch.ones(1, 2), scale * torch.ones(2, 2))
output.sum().backward()
print(scale.grad)
assert scale.grad is not None

# %% tags=["hide-input"]
# Above: ``nn.Parameter`` cuts the way to ``scale``. Below: the forward computes the
# weight.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 2.4), layout="constrained")
flow = {"arrowstyle": "->", "ec": "C3", "lw": 2}
for y, is_cut in ((0, True), (1, False)):
    ax.scatter(0, y, s=350, marker="s", fc="none", ec="C2" if is_cut else "C0", lw=2)
    ax.scatter(1, y, s=350, marker="s", fc="none", ec="C0" if is_cut else "0.3", lw=2)
    ax.scatter(2, y, s=200, marker="D", fc="none", ec="C3", lw=2)
    ax.annotate("", (1.15, y), (1.85, y), arrowprops=flow)
    if is_cut:
        ax.plot([0.15, 0.85], [y, y], "C2--", lw=2)
        ax.scatter(0.5, y, s=120, marker="x", color="C2", lw=3)
    else:
        ax.annotate("", (0.15, y), (0.85, y), arrowprops=flow)
ax.set_xticks([0, 1, 2], ["scale", "weight", "loss"])
ax.set_yticks([0, 1], ["nn.Parameter(scale * 2)", "scale * 2"])
ax.set_frame_on(False)
ax.margins(0.15, 0.4)
ax.invert_yaxis()
plt.show()

# %%
# Copy a frozen weight with ``nn.Parameter(w.detach().clone(), requires_grad=False)``
# (:torch:`torch.nn.parameter.Parameter`). If a weight is made of others that should
# learn, compute it in the forward.
#
# Related: :doc:`tied_weights`, :doc:`parametrized_and_lazy_layers`,
# :doc:`/gallery/graph/leaf_or_not`.
