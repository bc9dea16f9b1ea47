"""
What drops the graph, and what gives zero
=========================================

A comparison, ``argmax``, ``.item()`` or ``torch.tensor([a, b])`` ends the graph, mostly
without a word. ``round`` and ``sign`` keep it, and send back nothing but zeros.
"""

# %%
# Does the result still know where it came from?
# ----------------------------------------------
# Common operations on two scores that require a gradient.
import torch

scores = torch.tensor([0.4, 1.3], requires_grad=True)
results = {
    "scores > 0": scores > 0,
    "scores.argmax()": scores.argmax(),
    "scores.long()": scores.long(),
    "torch.ones_like(scores)": torch.ones_like(scores),
    "scores.new_tensor([1.0])": scores.new_tensor([1.0]),
    "scores.detach()": scores.detach(),
    "scores.sort().indices": scores.sort().indices,
    "scores.sort().values": scores.sort().values,
    "torch.stack(list(scores))": torch.stack(list(scores)),
    "scores.round()": scores.round(),
    "scores.sign()": scores.sign(),
}
for code, result in results.items():
    print(f"{code:26}", result.requires_grad)
kept = {code for code, result in results.items() if result.requires_grad}
assert len(kept) == 4

# %%
# Why is it silent?
# -----------------
# An integer or a boolean can't have a gradient: a small change of ``scores`` changes
# nothing, or jumps. ``ones_like`` takes the shape and not the values. ``.item()`` and
# ``.numpy()`` leave PyTorch; only the second one says so.
number = scores.sum().item()
print(type(number).__name__)
try:
    scores.numpy()
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("numpy() keeps a graph")

# %%
# ``torch.tensor([a, b])`` reads two numbers and makes a new tensor of them. PyTorch
# warns of that. ``torch.stack`` makes the same tensor and keeps the graph.
a, b = scores
pair = torch.tensor([a, b])
stacked = torch.stack([a, b])
assert not pair.requires_grad
assert stacked.requires_grad
assert pair.equal(stacked)

# %%
# A gradient of zero
# ------------------
# ``round`` is flat almost everywhere, so its derivative is 0. The graph is there, no
# error comes, and nothing learns.
scores.round().sum().backward()
print(scores.grad)
assert scores.grad.tolist() == [0, 0]

# %% tags=["hide-input"]
# Each operation in its column: no graph at all (cross), a graph that gives zeros (dot),
# or a gradient (square).
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(6, 3.8), layout="constrained")
for code, result in results.items():
    place, look = "no graph", {"marker": "x", "c": "C2"}
    if result.requires_grad:
        (gradient,) = torch.autograd.grad(result.sum(), scores)
        place, look = "gradient", {"marker": "s", "fc": "none", "ec": "C0"}
        if not gradient.any():
            place, look = "zeros", {"marker": ".", "c": "C1"}
    ax.scatter(place, code, s=100, lw=2, **look)
ax.margins(0.3, 0.08)
ax.invert_yaxis()
plt.show()

# %%
# Print ``requires_grad`` of each result, from the loss backwards, until it is True: the
# line after that one is to blame. Let a soft version carry the gradient: ``softmax``
# for ``argmax``, a sigmoid for a comparison, or for ``round`` the straight-through
# estimator (:doc:`/gallery/recipes/straight_through_and_vq`).
#
# Related: :doc:`the_fix_that_breaks`, :doc:`/gallery/diagnose/why_is_my_gradient_none`.
# Source: :torch:`Autograd mechanics <notes/autograd.html>`.
