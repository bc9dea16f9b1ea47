"""
A view made under no_grad() says requires_grad=True and passes no gradient
==========================================================================

``backward()`` through it runs without an error, but ``w.grad`` stays ``None``. Make the
view outside ``no_grad()``. If it is to pass no gradient, say so with ``detach()``.
"""

# %%
import torch

w = torch.ones(4, requires_grad=True)
with torch.no_grad():
    wrong = w[:2]
(wrong * 3).sum().backward()
print("inside: ", wrong.requires_grad, w.grad)
assert wrong.requires_grad
assert w.grad is None

right = w[:2]
(right * 3).sum().backward()
print("outside:", right.requires_grad, w.grad)
assert w.grad.tolist() == [3.0, 3.0, 0.0, 0.0]

# %%
# requires_grad is True under ``no_grad()``. Why?
# -----------------------------------------------
# Results computed under ``no_grad()`` into memory of their own have
# ``requires_grad=False``. A view shares the memory of ``w`` and takes over its
# ``requires_grad``. But its history was not recorded: no path leads from it back to
# ``w``. To see whether a gradient passes through a view, look at its ``grad_fn``.
with torch.no_grad():
    results = {
        "w * 1": w * 1,
        "w.clone()": w.clone(),
        "w[[0, 1]]": w[[0, 1]],
        "w[:2]": w[:2],
        "w.view(2, 2)": w.view(2, 2),
        "w.expand(2, 4)": w.expand(2, 4),
        "w.unbind()[0]": w.unbind()[0],
    }
results["w[:2] outside"] = w[:2]
claimed, arrived = {}, {}
for name, result in results.items():
    w.grad = None
    loss = (result * 3).sum()
    if loss.requires_grad:
        loss.backward()
    claimed[name] = result.requires_grad
    arrived[name] = w.grad is not None
    print(f"{name:15}requires_grad={claimed[name]!s:6}w.grad={w.grad}")
    assert arrived[name] == (result.grad_fn is not None)
misleading = [name for name in results if claimed[name] != arrived[name]]
assert misleading == ["w[:2]", "w.view(2, 2)", "w.expand(2, 4)", "w.unbind()[0]"]
assert arrived["w[:2] outside"]

# %% tags=["hide-input"]
# Square: what ``requires_grad`` says. Cross: whether ``w`` gets a gradient. Where the
# two are apart (dashed), ``requires_grad`` misleads.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
for name in results:
    ax.plot([claimed[name], arrived[name]], [name, name], "C2--", lw=2)
ax.scatter(
    claimed.values(), list(claimed), s=170, marker="s", fc="w", ec="C0", zorder=3
)
ax.scatter(arrived.values(), list(arrived), s=60, marker="x", c="C2", lw=2, zorder=4)
ax.set_xticks([False, True], ["False", "True"])
ax.margins(0.2, 0.08)
ax.invert_yaxis()
plt.show()

# %%
# The view says that it is a leaf, and gets no gradient either
# ------------------------------------------------------------
# A leaf that requires a gradient usually gets one in ``.grad``. This one doesn't: in
# the graph, its product leads nowhere. An optimizer accepts the view, and ``step()``
# moves nothing.
with torch.no_grad():
    view = w[:2]
(view * 3).sum().backward()
torch.optim.SGD([view], lr=0.1).step()
assert view.is_leaf
assert view.requires_grad
assert view.grad is None
assert (view * 3).grad_fn.next_functions[0] == (None, 0)
assert w.tolist() == [1.0, 1.0, 1.0, 1.0]

# %%
# "A view was created in no_grad mode and is being modified inplace"
# ------------------------------------------------------------------
# With recording on, a write to the view raises an error. That is often the first sign.
try:
    view.mul_(2)
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("the view was modified")
assert not w[:2].detach().requires_grad

# %%
# Where it ends
# -------------
# - ``detach()`` under ``no_grad()`` returns a view without ``requires_grad``.
# - ``w.contiguous()`` and an in-place operation return ``w`` itself, with its
#   ``requires_grad``, and its gradient arrives.
# - Under ``inference_mode()`` a view of ``w`` misleads in the same way.
# - Not every write raises an error. Under ``no_grad()`` it changes ``w``, which is
#   :doc:`how to set a slice <updating_weights_by_hand>`. A write through ``.data`` is
#   not noticed. If neither the base nor the value requires a gradient, the view may be
#   written to.
with torch.no_grad():
    assert not w.detach().requires_grad
    assert w.contiguous() is w
    assert w.mul_(1) is w
with torch.inference_mode():
    view = w[:2]
assert view.requires_grad
assert view.grad_fn is None
with torch.no_grad():
    view = w[:2]
    view.mul_(2)
assert w.tolist() == [2.0, 2.0, 1.0, 1.0]
view.data.mul_(2)
assert w.tolist() == [4.0, 4.0, 1.0, 1.0]
frozen = torch.ones(4)
with torch.no_grad():
    view = frozen[:2]
view.mul_(2)
assert frozen.tolist() == [2.0, 2.0, 1.0, 1.0]

# %%
# Related: :doc:`no_grad_inference_mode_enable_grad`,
# :doc:`/gallery/three-ways/detach_cuts_one_tensor`, :doc:`updating_weights_by_hand`.
# Source: `Views created in no_grad block still have requires_grad=True
# <https://github.com/pytorch/pytorch/issues/11390>`__.
