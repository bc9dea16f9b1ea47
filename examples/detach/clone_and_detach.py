"""
detach().clone() and clone().detach() make the same copy
========================================================

``clone()`` copies the memory and stays in the graph. ``detach()`` leaves the graph and
keeps the memory. A snapshot that training can't change takes both, in either order.
"""

# %%
# Which of them is a snapshot?
# ----------------------------
# You keep a weight to compare with later. The optimizer writes to its memory, and what
# you kept with ``detach()`` alone changes with it.
import torch

weight = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
kept = {
    "weight": weight,
    "clone()": weight.clone(),
    "detach()": weight.detach(),
    "clone().detach()": weight.clone().detach(),
    "detach().clone()": weight.detach().clone(),
}
(weight**2).sum().backward()
torch.optim.SGD([weight], lr=0.25).step()
for way, tensor in kept.items():
    print(f"{way:17} {tensor.tolist()!s:11} requires_grad={tensor.requires_grad}")
own = {way: tensor.data_ptr() != weight.data_ptr() for way, tensor in kept.items()}
assert list(own.values()) == [False, True, False, True, True]
assert [t.requires_grad for t in kept.values()] == [True, True, False, False, False]
assert kept["clone().detach()"].equal(kept["detach().clone()"])

# %%
# Does the order matter?
# ----------------------
# Not to the result. A common belief is that ``clone()`` first copies the gradient and
# the graph, too. It adds one node, which saves no tensor and is gone when you detach.
# PyTorch recommends ``detach()`` first, without that node (:torch:`torch.tensor`).
saved = []
with torch.autograd.graph.saved_tensors_hooks(saved.append, lambda _: None):
    print(weight.clone().grad_fn.name(), weight.detach().clone().grad_fn)
assert saved == []
assert weight.clone().detach().grad is None

# %%
# What does a copy keep?
# ----------------------
# Values, dtype, device and, if the tensor has no gaps, its strides. Not
# ``requires_grad``, not ``.grad``, not the class ``Parameter``. And a copy of a slice
# is as small as it looks, while a detached slice keeps all of the storage alive.
matrix = torch.nn.Parameter(torch.ones(1000, 3).T)
assert matrix.detach().clone().stride() == matrix.stride() == (1, 3)
assert type(matrix.clone()) is torch.Tensor
part = matrix[:, :10].detach()
sizes = [t.untyped_storage().nbytes() for t in (part, part.clone())]
assert sizes == [12000, 120]

# %%
# When is clone() alone right?
# ----------------------------
# When the gradient must pass (:torch:`torch.clone`). You may write into the clone, and
# what you don't overwrite still learns.
masked = weight.clone()
masked[0] = 0
(gradient,) = torch.autograd.grad(masked.sum(), weight)
assert gradient.tolist() == [0.0, 1.0]

# %% tags=["hide-input"]
# ``clone()`` goes right, ``detach()`` goes down. Both orders end in the same corner:
# memory of its own, no gradient. An open square is in the graph, a dashed one is not.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
arrow = {"arrowstyle": "->", "lw": 2, "shrinkA": 22, "shrinkB": 22}
place = {way: (own[way], tensor.requires_grad) for way, tensor in kept.items()}
for first, second in [("clone()", "detach()"), ("detach()", "clone()")]:
    for start, end in [("weight", first), (first, f"{first}.{second}")]:
        ax.annotate("", place[end], place[start], arrowprops=arrow)
for way, (x, y) in place.items():
    line = {"ec": "C0"} if y else {"ec": "C2", "ls": "--"}
    ax.scatter(x, y, s=700, marker="s", fc="none", lw=2, **line)
    height = 1.32 if y else -0.55 if way == "detach().clone()" else -0.32
    ax.text(x, height, way, ha="center", va="center")
ax.set_xticks([0, 1], ["False", "True"])
ax.set_yticks([0, 1], ["False", "True"])
ax.set(xlabel="data_ptr() != weight.data_ptr()", ylabel="requires_grad")
ax.set(xlim=(-0.5, 1.5), ylim=(-0.8, 1.5))
plt.show()

# %%
# Write ``detach().clone()`` for a snapshot, ``detach()`` to read a value now, and
# ``clone()`` to change a copy that learns.
#
# Related: :doc:`copying_a_tensor`, :doc:`logging_a_loss`,
# :doc:`/gallery/three-ways/detach_cuts_one_tensor`.
