"""
backward(inputs=...) fills only the .grad you name
==================================================

You don't have to freeze a backbone to spare it one gradient. ``backward(inputs=)`` and
``autograd.grad`` compute what you name and leave all else alone.
"""

# %%
# One loss for the head only
# --------------------------
# Nothing is frozen. The backward ends once the parameters of the head have their
# gradients.
import torch
from torch import nn

backbone, head = nn.Linear(2, 3), nn.Linear(3, 1)
x = torch.ones(1, 2)
parameters = [*backbone.parameters(), *head.parameters()]
head(backbone(x)).sum().backward(inputs=list(head.parameters()))
named = [p.grad is not None for p in parameters]
print(named)
assert named == [False, False, True, True]

# %%
# ``autograd.grad`` returns the gradients and writes to no ``.grad``.
head.zero_grad()
gradients = torch.autograd.grad(head(backbone(x)).sum(), list(head.parameters()))
returned = [p.grad is not None for p in parameters]
print(len(gradients), returned)
assert not any(returned)

# %%
# The input may be a result. Then ``backward(inputs=)`` fills its ``.grad``, too.
features = backbone(x)
head(features).sum().backward(inputs=[features])
print(features.grad.shape)
assert features.grad.allclose(head.weight)

# %%
# An empty list, as from a filter that leaves nothing, is an error.
try:
    head(backbone(x)).sum().backward(inputs=[])
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("nothing was asked for")

# %%
# The differentiated Tensor appears to not have been used in the graph
# --------------------------------------------------------------------
# ``autograd.grad`` raises if the loss does not depend on a tensor that you name.
# ``backward(inputs=)`` says nothing, and ``.grad`` stays None.
unused = nn.Parameter(torch.ones(1))
head(backbone(x)).sum().backward(inputs=[unused])
assert unused.grad is None
try:
    torch.autograd.grad(head(backbone(x)).sum(), [head.bias, unused])
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("the loss depends on it")

# %%
# With ``allow_unused=True`` you get None in its place, with ``materialize_grads=True``
# zeros. The zeros require no gradient (:since:`2.10`; before, they did).
loss = head(backbone(x)).sum()
asked = [head.bias, unused]
allowed = torch.autograd.grad(loss, asked, allow_unused=True, retain_graph=True)
filled = torch.autograd.grad(loss, asked, materialize_grads=True)
print(allowed, filled)
assert allowed[1] is None
assert filled[1].item() == 0

# %% tags=["hide-input"]
# Columns: the four parameters. Rows: three ways to ask. A square is a ``.grad`` that
# was filled, a dot one that was left alone.
import matplotlib.pyplot as plt

for p in parameters:
    p.grad = None
head(backbone(x)).sum().backward()
rows = {
    "backward()": [p.grad is not None for p in parameters],
    "backward(inputs=)": named,
    "autograd.grad()": returned,
}
columns = ["backbone.weight", "backbone.bias", "head.weight", "head.bias"]
_, ax = plt.subplots(figsize=(6, 2.8), layout="constrained")
for way, row in rows.items():
    for column, has_grad in zip(columns, row, strict=True):
        look = {"marker": "s", "fc": "none", "ec": "C0"} if has_grad else {"c": "C1"}
        ax.scatter(column, way, s=200 if has_grad else 20, lw=2, **look)
ax.margins(0.15, 0.3)
ax.invert_yaxis()
plt.show()

# %%
# Name the inputs if one backward must leave a part alone, and freeze if none may touch
# it. In a GAN or a meta-learning loop, naming them replaces a good deal of switching
# ``requires_grad``.
#
# Related: :doc:`the_flag_is_read_twice`, :doc:`/gallery/three-ways/detach_in_a_gan`.
# Sources: :torch:`torch.autograd.backward`, :torch:`torch.autograd.grad`.
