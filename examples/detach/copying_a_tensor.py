"""
torch.tensor(t) cuts the gradient, torch.asarray(t) can freeze t
================================================================

Four functions turn a tensor into a tensor. Whether you get a copy, and whether the
gradient still passes, depends on which. One of them can freeze what you hand it.
"""

# %%
# "To copy construct from a tensor, it is recommended to use ..."
# ---------------------------------------------------------------
# ``torch.tensor(t)`` is ``t.detach().clone()`` (:torch:`torch.tensor`). The warning is
# not about style. The values are right, but the layers that made ``t`` no longer learn.
import torch

torch.manual_seed(0)
backbone, head = torch.nn.Linear(2, 2), torch.nn.Linear(2, 1)
features = backbone(torch.ones(1, 2))
copies = {"torch.tensor(t)": torch.tensor(features)}
head(copies["torch.tensor(t)"]).sum().backward()
assert head.weight.grad is not None
assert backbone.weight.grad is None

# %%
# Does ``requires_grad=True`` help?
# ---------------------------------
# No. The copy is a new leaf, and keeps the gradient to itself.
leaf = torch.tensor(features, requires_grad=True)
head(leaf).sum().backward()
assert leaf.grad is not None
assert backbone.weight.grad is None

# %%
# Which function copies, and which cuts?
# --------------------------------------
# ``new_tensor`` does the same as ``torch.tensor``. ``as_tensor`` gives back the tensor
# itself, or a recorded copy if the dtype or device must change. ``asarray`` does what
# you ask for. If you don't ask, the gradient passes, and a warning tells you so
# (:since:`2.12`; before, ``asarray`` cut it and gave no warning).
copies |= {
    "t.new_tensor(t)": features.new_tensor(features),
    "as_tensor(t)": torch.as_tensor(features),
    "as_tensor(t, dtype=float64)": torch.as_tensor(features, dtype=torch.float64),
    "asarray(t)": torch.asarray(features),
    "asarray(t, copy=True)": torch.asarray(features, copy=True),
    "asarray(t, requires_grad=False)": torch.asarray(features, requires_grad=False),
}
shared = {way: copy.data_ptr() == features.data_ptr() for way, copy in copies.items()}
recorded = {way: copy.grad_fn is not None for way, copy in copies.items()}
assert list(shared.values()) == [False, False, True, False, True, False, True]
needs = "before PyTorch 2.12, asarray cuts the gradient"
assert list(recorded.values()) == [False, False, True, True, True, True, False], needs
assert copies["as_tensor(t)"] is features
assert copies["asarray(t)"] is features

# %%
# How asarray freezes a weight
# ----------------------------
# The warning advises ``requires_grad=False``. On a result, that detaches. On a leaf, it
# hands back the leaf itself, with ``requires_grad`` switched off: your weight is frozen
# (`issue 170819 <https://github.com/pytorch/pytorch/issues/170819>`_).
array = torch.asarray(head.weight, requires_grad=False)
print(array is head.weight, head.weight.requires_grad)
assert array is head.weight
assert not head.weight.requires_grad
head.requires_grad_(True)
torch.asarray(head.weight.detach())
assert head.weight.requires_grad

# %% tags=["hide-input"]
# Left is ``t``, right is what you get. One long band: one memory. Two squares: a copy.
# An arrow is a gradient that gets back to ``t``, a dashed line with a cross is a cut.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(6, 3), layout="constrained")
for y, way in enumerate(copies):
    for band in [[0, 1]] if shared[way] else [[0, 0], [1, 1]]:
        ax.plot(band, [y, y], "s-", c="lightgray", lw=20, ms=20, mew=0)
    if recorded[way]:
        ax.annotate("", (0, y), (1, y), arrowprops={"arrowstyle": "->", "lw": 2})
    else:
        ax.plot([0, 0.5, 1], [y, y, y], "C2--x", markevery=[1], lw=2, ms=10, mew=3)
ax.set_yticks(range(len(copies)), copies)
ax.set_xticks([])
ax.tick_params(length=0)
ax.set_frame_on(False)
ax.margins(0.15)
ax.invert_yaxis()
plt.show()

# %%
# Write ``t.detach().clone()`` for a copy without gradient, ``t.clone()`` for one with
# it, and ``t.to(torch.float64)`` to convert. Keep ``torch.tensor`` for lists and
# numbers.
#
# Related: :doc:`clone_and_detach`,
# :doc:`/gallery/three-ways/freeze_before_or_after_the_optimizer`.
