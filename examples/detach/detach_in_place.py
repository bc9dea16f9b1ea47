"""
detach_() does not cut results that were computed before
========================================================

``detach_()`` makes the tensor itself a leaf. Results that were computed from it before
still pass gradients back through it. To cut, compute them from ``y.detach()``.
"""

# %%
# Why does the gradient still pass?
# ---------------------------------
# ``z`` was computed before the call, so it holds the node that made ``y``.
import torch

x = torch.ones(2, requires_grad=True)
y = x * 2
z = y * 3
y.detach_()  # too late for z
z.sum().backward()
print("late: ", x.grad)
assert x.grad.tolist() == [6, 6]

x.grad = None
y = x * 2
z = y.detach() * 3 + x  # right
z.sum().backward()
print("right:", x.grad)
assert x.grad.tolist() == [1, 1]

# %%
# What does the underscore change?
# --------------------------------
# ``detach()`` returns another tensor. ``detach_()`` changes this one, for all code that
# holds it. Called before ``z`` is computed, it cuts, too.
x.grad = None
y = x * 2
assert y.detach() is not y
assert y.requires_grad
assert y.detach_() is y
print(y.requires_grad, y.is_leaf, y.grad_fn)
assert not y.requires_grad
assert y.is_leaf
z = y * 3 + x
z.sum().backward()
assert x.grad.tolist() == [1, 1]

# %%
# On a leaf it sets ``requires_grad`` to False, as ``requires_grad_(False)`` does: on a
# parameter, it freezes.
weight = torch.nn.Parameter(torch.ones(2))
weight.detach_()
assert not weight.requires_grad

# %% tags=["hide-input"]
# Above: ``detach_()`` comes after ``z``, and the gradient still reaches ``x``. Below:
# it comes before ``z`` and cuts the way from ``z`` to ``x``.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 2.4), layout="constrained")
flow = {"arrowstyle": "->", "ec": "C3", "lw": 2}
for row, is_cut in ((0, False), (1, True)):
    ax.scatter(0, row, s=350, marker="s", fc="none", ec="C2" if is_cut else "C0", lw=2)
    ax.scatter(1, row, s=350, marker="s", fc="none", ec="0.3", lw=2)
    ax.scatter(2, row, s=200, marker="D", fc="none", ec="C3", lw=2)
    ax.annotate("", (1.15, row), (1.85, row), arrowprops=flow)
    if is_cut:
        ax.plot([0.15, 0.85], [row, row], "C2--", lw=2)
        ax.scatter(0.5, row, s=120, marker="x", color="C2", lw=3)
    else:
        ax.annotate("", (0.15, row), (0.85, row), arrowprops=flow)
ax.set_xticks([0, 1, 2], ["x", "y", "z"])
ax.set_yticks([0, 1], ["z = y * 3; y.detach_()", "y.detach_(); z = y * 3"])
ax.set_frame_on(False)
ax.margins(0.15, 0.4)
ax.invert_yaxis()
plt.show()

# %%
# What else remains from before a late ``detach_()``?
# ---------------------------------------------------
# The node of ``y``, and with it the hooks that you registered on ``y``: they still run.
# A view of ``y`` that was made before keeps its history. But an operation that has
# saved ``y`` itself, as a square does, can't run backward any more.
seen = []
x.grad = None
y = x * 2
y.register_hook(seen.append)
view = y[:1]
z = y * 3
y.detach_()
z.sum().backward()
assert seen[0].tolist() == [3, 3]
assert view.requires_grad

y = x * 2
z = y.square()
y.detach_()
try:
    z.sum().backward()
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("a saved tensor was detached in place")

# %%
# Can't detach views in-place
# ---------------------------
# ``detach_()`` refuses a view, even if it requires no gradient: autograd tracks a view
# together with its base. ``reshape`` returns a view wherever it can. ``detach()``
# accepts views, and a copy is not a view.
for view in ((x * 2)[:1], torch.ones(2)[:1], (x * 2).reshape(2, 1)):
    assert not view.detach().requires_grad
    try:
        view.detach_()
    except RuntimeError as error:
        message = f"{type(error).__name__}: {error}"
    else:
        raise AssertionError("a view was detached in place")
print(message)
assert not (x * 2)[[0]].detach_().requires_grad

# %%
# I called ``y.detach()``, and nothing changed. How do I undo it?
# ---------------------------------------------------------------
# - ``y.detach()`` on a line of its own does nothing: use what it returns, as in ``y =
#   y.detach()``.
# - You can't undo it. ``requires_grad_()`` on the result makes a new leaf, whose
#   gradient ends there. Keep ``y``, and use ``y`` where the gradient should pass and
#   ``y.detach()`` where it should not.
# - A module has no ``detach()``: ``'Sequential' object has no attribute 'detach'``. To
#   keep its weights as they are, freeze them, with ``model.requires_grad_(False)``. To
#   let no gradient through, detach its output.
# - Neither has a tuple, such as the state ``(h, c)`` of an LSTM:
#   :doc:`/reference/errors/list_object_has_no_attribute_grad_fn`.
x.grad = None
y = x * 2
y.detach()  # wrong: the result is dropped
assert y.requires_grad
cut = y.detach()  # right
again = cut.requires_grad_()  # a new leaf, not y
(again * 3).sum().backward()
print(again.grad, x.grad)
assert x.grad is None
(y * 3).sum().backward()
assert x.grad.tolist() == [6, 6]
model = torch.nn.Sequential(torch.nn.Linear(2, 1))
for wrong in (model, (x, y)):
    try:
        wrong.detach()
    except AttributeError as error:
        print(error)
    else:
        raise AssertionError("it was detached")
x.grad = None
frozen_output = model.requires_grad_(False)(x)
cut_output = model.requires_grad_(True)(x).detach()
assert frozen_output.requires_grad
assert not cut_output.requires_grad

# %%
# ``'dict' object has no attribute 'detach'``: detach all tensors of an output
# ----------------------------------------------------------------------------
# Models return dictionaries, tuples, dataclasses and lists of states. Only a tensor has
# ``detach()``, so go through them. Leave alone what is not a tensor, such as None or a
# number. A loop ``for t in states: t = t.detach()`` changes nothing: it only gives the
# name ``t`` to another tensor. If the whole output is needed without a gradient,
# compute it under ``no_grad()`` instead, which saves the memory of the graph, too.


def detach_all(output):
    if isinstance(output, torch.Tensor):
        return output.detach()
    if isinstance(output, dict):
        return {key: detach_all(value) for key, value in output.items()}
    if isinstance(output, tuple) and hasattr(output, "_fields"):  # a named tuple
        return type(output)(*map(detach_all, output))
    if isinstance(output, (list, tuple)):
        return type(output)(map(detach_all, output))
    return output


h = torch.ones(2, requires_grad=True) * 2
output = {"logits": h, "state": (h, [h, None]), "step": 3}
try:
    output.detach()
except AttributeError as error:
    print(error)
else:
    raise AssertionError("a dictionary was detached")
cut = detach_all(output)  # right
print(output["state"][0].requires_grad, cut["state"][0].requires_grad)
assert output["state"][1][0].requires_grad
assert not cut["logits"].requires_grad
assert not cut["state"][1][0].requires_grad
assert (cut["step"], cut["state"][1][1]) == (3, None)

# %%
# Where it ends
# -------------
# Some operations may return their input itself, such as ``contiguous()`` or ``to()``:
# then ``detach_()`` changes that input. A view of an inference tensor is not tracked,
# and ``detach_()`` accepts it.
y = x * 2
y.contiguous().detach_()
assert not y.requires_grad
y = x * 2
y.to(torch.float32).detach_()
assert not y.requires_grad
with torch.inference_mode():
    view = torch.ones(2)[:1]
assert view.detach_() is view

# %%
# Prefer ``detach()``: the code shows where the graph is cut, and other code that holds
# the tensor is not affected (:torch:`torch.Tensor.detach_`).
#
# Related: :doc:`detach_then_requires_grad`, :doc:`detach_shares_memory_and_version`,
# :doc:`/gallery/three-ways/detach_cuts_one_tensor`.
