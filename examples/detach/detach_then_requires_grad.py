"""
A detached tensor can get a gradient of its own
===============================================

``detach()`` cuts off the past, not the future. Set ``requires_grad`` on the result, and
it is a leaf that keeps its gradient. But it still uses the memory of the original.
"""

# %%
# Does it never get a gradient, even if ``requires_grad`` is set to True again?
# -----------------------------------------------------------------------------
# Many explanations of ``detach()`` say so. What it returns requires no gradient, but it
# is a leaf, and on a leaf ``requires_grad`` can be set. From then on, all that you
# compute from ``d`` is recorded.
import torch

x = torch.ones(2, requires_grad=True)
d = x.detach().requires_grad_()
(d * 3).sum().backward()
print(f"{d.is_leaf=} {d.grad=} {x.grad=}")
assert d.grad.tolist() == [3.0, 3.0]
assert x.grad is None

# %%
# Backward in two parts
# ---------------------
# Several heads on one backbone: cut in between, let each head add its gradient to
# ``d.grad``, then hand the sum on. A head's activations are freed before the next head
# runs, the backbone goes backward once, and its gradient is the same.
torch.manual_seed(0)
backbone = torch.nn.Linear(4, 3)
heads = [torch.nn.Linear(3, 1) for _ in range(5)]
images = torch.randn(8, 4)

features = backbone(images)
d = features.detach().requires_grad_()
for head in heads:
    head(d).square().mean().backward()
assert backbone.weight.grad is None
features.backward(d.grad)

features = backbone(images)
loss = sum(head(features).square().mean() for head in heads)
(in_one_part,) = torch.autograd.grad(loss, backbone.weight)
assert in_one_part.allclose(backbone.weight.grad)

# %%
# Training the detached tensor changes the original
# -------------------------------------------------
# You tune a prompt that starts at row 0 of a frozen embedding. The optimizer writes to
# the memory of ``prompt``, and that is the memory of row 0. After ``clone()`` it isn't.


def tune(prompt):
    target = torch.tensor([2.0, 1.0])
    optimizer = torch.optim.SGD([prompt], lr=0.05, momentum=0.8)
    path = [prompt.tolist()]
    for _ in range(40):
        optimizer.zero_grad()
        loss = (torch.tensor([1.0, 4.0]) * (prompt - target).square()).sum()
        loss.backward()
        optimizer.step()
        path.append(prompt.tolist())
    return path


embedding = torch.nn.Embedding.from_pretrained(torch.zeros(3, 2), freeze=True)
path = tune(embedding.weight[0].detach().clone().requires_grad_())
cloned = embedding.weight[0].tolist()
tune(embedding.weight[0].detach().requires_grad_())
shared = embedding.weight[0].tolist()
print(f"{embedding.weight.requires_grad=}\n{cloned=}\n{shared=}")
assert cloned == path[0] == [0.0, 0.0]
assert shared == path[-1]

# %% tags=["hide-input"]
# The path of ``prompt`` (dots). With ``clone()`` the frozen row stays where it was
# (hatched). Without, it ends where ``prompt`` ends (cross).
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
ax.plot(*zip(*path, strict=True), "C0.-", label="prompt")
row = {"s": 150, "lw": 2}
look = {"marker": "s", "fc": "none", "ec": "C1", "hatch": "////"}
ax.scatter(*cloned, label="embedding.weight[0], clone()", **look, **row)
ax.scatter(*shared, label="embedding.weight[0]", marker="x", c="C2", zorder=3, **row)
ax.margins(0.15)
ax.legend(loc="lower right")
plt.show()

# %%
# Write ``x.detach().clone().requires_grad_()`` if anything will write to the new leaf.
#
# Related: :doc:`detach_shares_memory_and_version`,
# :doc:`/gallery/three-ways/through_or_blocked`. Source: :torch:`torch.Tensor.detach`.
