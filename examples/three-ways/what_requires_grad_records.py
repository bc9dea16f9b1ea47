"""
Only what needs a gradient is recorded
======================================

``requires_grad=True`` tells autograd to record what you compute with a tensor.
``backward()`` fills ``.grad`` of the leaves that require it. Any other one is None.
"""

# %%
# A tensor that you create requires no gradient: ``requires_grad`` is False by default.
# The parameters of a module are the exception: they are made to be trained.
import torch

x = torch.tensor([1.0, 2.0])
print(x.requires_grad)
assert not x.requires_grad
assert torch.nn.Linear(2, 1).weight.requires_grad

# %%
# One input is enough to start recording
# --------------------------------------
# ``x`` requires a gradient, ``y`` does not. ``y1``, computed from both, requires one
# all the same, and its ``grad_fn`` is the record of how it was made.
#
# A differentiable operation is recorded when at least one of its inputs requires a
# gradient (:torch:`Autograd mechanics <notes/autograd.html#setting-requires-grad>`).
# ``2.0 * x`` is recorded, ``2.0 * y`` is not. Together these records are the
# *computational graph*.
x = torch.tensor([1.0, 2.0], requires_grad=True)
y = torch.tensor([3.0, 4.0], requires_grad=False)
y1 = 2.0 * x + 2.0 * y

print(x, x.requires_grad)
print(y, y.requires_grad)
print(y1, y1.requires_grad)
assert y1.requires_grad
assert (2.0 * x).grad_fn is not None
assert (2.0 * y).grad_fn is None

# %%
# Why is ``y.grad`` None after ``backward()``?
# --------------------------------------------
# Because ``y`` doesn't require one. None is not zero: it was not computed at all.
#
# ``y1`` has two elements, so ``backward()`` wants a factor for each: two ones. Of all
# tensors on the way, only *leaves* that require a gradient keep one
# (:torch:`torch.Tensor.is_leaf`). ``y1`` is a result, not a leaf.
y1.backward(torch.tensor([1.0, 1.0]))
print(x.grad)
print(y.grad)
assert x.grad.tolist() == [2.0, 2.0]
assert y.grad is None
assert x.is_leaf
assert not y1.is_leaf

# %% tags=["hide-input"]
# The gradient starts at ``y1`` (diamond) and runs back along the record, to ``x``. No
# record leads to ``y`` (hatched).
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
for text, height, look in [
    (f"x.grad = {x.grad.tolist()}", 1, {"ec": "C0"}),
    (f"y.grad = {y.grad}", 0, {"ec": "C1", "hatch": "////"}),
]:
    ax.scatter(0, height, s=1200, marker="s", fc="none", lw=2, **look)
    ax.text(0, height + 0.25, text, ha="center")
ax.scatter(1, 0.5, s=1200, marker="D", fc="none", ec="C3", lw=2)
ax.text(1, 0.8, "y1.backward()", ha="center")
line = {"shrinkA": 24, "shrinkB": 24, "lw": 2}
ax.annotate("", (0, 1), (1, 0.5), arrowprops=line | {"arrowstyle": "->", "ec": "C3"})
ax.annotate("", (0, 0), (1, 0.5), arrowprops=line | {"arrowstyle": "-", "ec": "gray"})
ax.margins(0.35)
ax.axis("off")
plt.show()

# %%
# Set ``requires_grad`` on what you create, before you compute with it.
#
# Related: :doc:`backward_without_a_graph`, :doc:`filter_parameters_into_the_optimizer`,
# :doc:`through_or_blocked`.
