"""
retain_grad() keeps the gradient of a result
============================================

The gradient of a result is used on the way back and thrown away. ``retain_grad()``
keeps it, if you ask before ``backward()``.
"""

# %%
# Why is .grad of my activation None?
# -----------------------------------
# ``hidden`` is a result: its gradient is handed on to ``x``, and not kept. Reading its
# ``.grad`` draws a warning.
import torch

x = torch.tensor([1.0, 2.0], requires_grad=True)
hidden = x * 2
(hidden**2).sum().backward()
gradient = hidden.grad
print(gradient)
assert gradient is None

# %%
# Call ``retain_grad()`` before the backward, and the gradient stays.
hidden = x * 2
hidden.retain_grad()
(hidden**2).sum().backward()
print(hidden.grad, hidden.retains_grad)
assert hidden.grad.tolist() == [4, 8]

# %%
# After the backward it is too late: nothing is computed again, and there is no error.
late = x * 2
(late**2).sum().backward()
late.retain_grad()
assert late.grad is None

# %%
# RuntimeError: can't retain_grad
# -------------------------------
# A tensor that requires no gradient has none to keep. The graph was cut before it, or
# nothing that it was computed from requires a gradient.
try:
    hidden.detach().retain_grad()
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("there was a gradient to keep")

# %%
# On a leaf it does nothing, since a leaf keeps its gradient anyway.
x.retain_grad()
assert not x.retains_grad

# %%
# Without writing to any .grad
# ----------------------------
# ``autograd.grad`` returns the gradients that you name and writes to no ``.grad``, of a
# leaf or a result.
hidden, x.grad = x * 2, None
of_hidden, of_x = torch.autograd.grad((hidden**2).sum(), [hidden, x])
print(of_hidden, of_x)
assert of_hidden.tolist() == [4, 8]
assert of_x.tolist() == [8, 16]
assert x.grad is None

# %%
# From the left: the gradient of the leaf ``x``, of the result ``hidden`` with
# ``retain_grad()``, and without it, where there is none.
import matplotlib.pyplot as plt

kept = x * 2
kept.retain_grad()
lost = x * 2
((kept + lost) ** 2).sum().backward()
assert lost.grad_fn is not None
_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
ax.bar(
    ["x", "hidden.retain_grad()"], [x.grad.norm(), kept.grad.norm()], fc="none", ec="C0"
)
ax.scatter("hidden", 0, marker="x", s=120, lw=2, c="C2", clip_on=False)
ax.set_ylabel(".grad.norm()")
plt.show()

# %%
# To look at the gradients of activations, call ``retain_grad()`` in the forward, or
# name them in ``autograd.grad``. To look at one or change it as it passes, register a
# hook: :doc:`/gallery/modes/hooks_and_custom_functions`.
#
# Related: :doc:`leaf_or_not`, :doc:`gradients_of_some_inputs`. Source:
# :torch:`torch.Tensor.retain_grad`.
