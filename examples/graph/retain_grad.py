"""
Why .grad of an activation is None: retain_grad() keeps it
==========================================================

A backward does not store the gradient of a result. Call ``retain_grad()`` on the result
before ``backward()``, or name it in ``autograd.grad``.
"""

# %%
# Both tensors are results of the same operation. One of them retains its gradient.
import torch

x = torch.tensor([1.0, 2.0], requires_grad=True)
wrong, right = x * 2, x * 2
right.retain_grad()
(wrong**2 + right**2).sum().backward()
none, gradient = wrong.grad, right.grad
print(none, gradient)
assert none is None
assert gradient.tolist() == [4, 8]
assert not wrong.retains_grad
assert right.retains_grad

# %%
# After the backward it is too late: nothing is computed again, and there is no error.
# A further backward through the same graph fills it.
late = x * 2
loss = (late**2).sum()
loss.backward(retain_graph=True)
late.retain_grad()
assert late.grad is None
loss.backward()
assert late.grad.tolist() == [4, 8]

# %%
# Without retain_grad()
# ---------------------
# ``autograd.grad`` returns the gradients of the tensors that you name, leaves or
# results. ``x.grad`` stays None.
hidden, x.grad = x * 2, None
of_hidden, of_x = torch.autograd.grad((hidden**2).sum(), [hidden, x])
print(of_hidden, of_x)
assert of_hidden.tolist() == [4, 8]
assert of_x.tolist() == [8, 16]
assert x.grad is None

# %%
# RuntimeError: can't retain_grad
# -------------------------------
# A tensor that requires no gradient has none to keep. Either the graph was cut before
# it, or none of the tensors that it was computed from requires a gradient.
try:
    hidden.detach().retain_grad()
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("there was a gradient to keep")

# %% tags=["hide-input"]
# From the left: the norm of the gradient of the leaf ``x``, of a result with
# ``retain_grad()``, and of one without it, where there is none.
import matplotlib.pyplot as plt

(x * 2).square().sum().backward()
_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
heights = [x.grad.norm().item(), gradient.norm().item()]
ax.bar(["x", "hidden.retain_grad()"], heights, fc="none", ec="C0")
ax.scatter("hidden", 0, marker="x", s=120, lw=2, c="C2", clip_on=False)
ax.set_ylabel(".grad.norm()")
plt.show()

# %% tags=["hide-input"]
# Where it ends
# -------------
# - On a leaf that requires a gradient, ``retain_grad()`` does nothing: a backward fills
#   its ``.grad`` anyway. On a frozen leaf it raises the error from above.
# - ``autograd.grad`` fills the ``.grad`` of a result that retains it, too, if the
#   gradient passes through it. ``backward(inputs=)`` fills that of a result you name.
# - Change the tensor in place after ``retain_grad()``, and the gradient is that of the
#   changed value. Assign to the same name, and it stays with the old tensor.
x.retain_grad()
assert not x.retains_grad
frozen = torch.ones(2)
try:
    frozen.retain_grad()
except RuntimeError as error:
    message = str(error)
assert "can't retain_grad" in message

hidden, x.grad = x * 2, None
hidden.retain_grad()
torch.autograd.grad((hidden**2).sum(), x)
assert hidden.grad.tolist() == [4, 8]
assert x.grad is None
hidden = x * 2
(hidden**2).sum().backward(inputs=[hidden])
assert hidden.grad.tolist() == [4, 8]

hidden = x * 2
hidden.retain_grad()
hidden.mul_(3)
(hidden**2).sum().backward()
assert hidden.grad.tolist() == [12, 24]
old = hidden = x * 2
hidden.retain_grad()
hidden = hidden * 3
(hidden**2).sum().backward()
assert old.grad.tolist() == [36, 72]
assert not hidden.retains_grad

# %%
# To look at a gradient or change it as it passes, register a hook.
#
# Related: :doc:`leaf_or_not`, :doc:`gradients_of_some_inputs`,
# :doc:`/gallery/modes/hooks_and_custom_functions`. Source:
# :torch:`torch.Tensor.retain_grad`.
