"""
requires_grad is read twice, so changing it in between gives None
=================================================================

Autograd reads it when an operation runs, and again when a gradient arrives at the leaf.
Change it between forward and ``backward()``, either way, and ``.grad`` stays None.
"""

# %%
# Frozen between forward and backward
# -----------------------------------
# It seems that the forward has recorded everything and ``requires_grad`` no longer
# matters. But a gradient that arrives at a leaf is dropped if the leaf no longer
# requires it.
import torch

weight = torch.nn.Parameter(torch.ones(2))
loss = (weight * 2).sum()
weight.requires_grad_(False)
loss.backward()
print(weight.grad)
assert weight.grad is None

# %%
# There is no error. Only ``autograd.grad``, which is asked for this very gradient,
# refuses.
weight = torch.nn.Parameter(torch.ones(2))
loss = (weight * 2).sum()
weight.requires_grad_(False)
try:
    torch.autograd.grad(loss, weight)
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("a frozen leaf got a gradient")

# %%
# Unfrozen between forward and backward
# -------------------------------------
# Here the graph was made without an edge to ``weight``, and nothing adds one later.
weight = torch.nn.Parameter(torch.ones(2), requires_grad=False)
x = torch.ones(2, requires_grad=True)
loss = (weight * x).sum()
weight.requires_grad_(True)
loss.backward()
print(weight.grad, x.grad)
assert weight.grad is None

# %%
# All four cases, hatched where the gradient is None. It arrives in one of them:
# ``requires_grad`` was True in the forward and still is in the backward.
import matplotlib.pyplot as plt

cases = {}
for in_forward in (True, False):
    for in_backward in (True, False):
        weight = torch.nn.Parameter(torch.ones(2), requires_grad=in_forward)
        loss = (weight * x).sum()
        weight.requires_grad_(in_backward).grad = None
        loss.backward()
        cases[in_forward, in_backward] = weight.grad is not None
assert [case for case, arrives in cases.items() if arrives] == [(True, True)]

_, ax = plt.subplots(figsize=(4.4, 3.2), layout="constrained")
for (in_forward, in_backward), arrives in cases.items():
    hatch = "" if arrives else "//"
    place = (int(not in_backward), int(in_forward))
    ax.add_patch(
        plt.Rectangle(place, 0.94, 0.94, fc="none", ec="C0", hatch=hatch, lw=2)
    )
    text = "tensor" if arrives else "None"
    ax.text(
        place[0] + 0.47,
        place[1] + 0.47,
        text,
        ha="center",
        va="center",
        backgroundcolor="w",
    )
ax.set(xlim=(-0.06, 2), ylim=(-0.06, 2), xticks=[0.47, 1.47], yticks=[0.47, 1.47])
ax.set_xticklabels(["True", "False"])
ax.set_yticklabels(["False", "True"])
ax.set(xlabel="requires_grad: backward()", ylabel="requires_grad: forward")
plt.show()

# %%
# Change ``requires_grad`` between two steps: after ``optimizer.step()`` and before the
# next forward. A freeze that comes in the middle of one loses that step's gradient and
# says nothing.
#
# Related: :doc:`/gallery/three-ways/freeze_before_or_after_the_optimizer`,
# :doc:`gradients_of_some_inputs`. Source:
# :torch:`Autograd mechanics <notes/autograd.html#setting-requires-grad>`.
