"""
A view made under no_grad() lies about requires_grad
====================================================

The view says ``requires_grad=True``, ``backward()`` runs without an error, and no
tensor gets a gradient. ``step()`` then moves nothing.
"""

# %%
# requires_grad is True under ``no_grad()``. Why?
# -----------------------------------------------
# The usual rule: all results under ``no_grad()`` have ``requires_grad=False``. It holds
# for results with memory of their own. A view shares the memory of ``w`` and takes over
# its flag. Yet its history was not recorded: no path leads from it back to ``w``.
import torch

w = torch.ones(4, requires_grad=True)
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
lies = [name for name in results if claimed[name] != arrived[name]]
assert lies == ["w[:2]", "w.view(2, 2)", "w.expand(2, 4)", "w.unbind()[0]"]
assert arrived["w[:2] outside"]

# %%
# The view says that it is a leaf, and gets no gradient either
# ------------------------------------------------------------
# A leaf that requires a gradient gets one in ``.grad``, but not this one: in the graph,
# its product leads nowhere. An optimizer takes the view and never moves it.
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
# A write to the view is refused. That is often the first sign.
try:
    view.mul_(2)
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("the view was modified")

# %%
# If the gradient is to flow, make the view outside ``no_grad()``. If not, say
# ``detach()``: it shares the memory, too, and drops the flag. To tell whether a view
# leads anywhere, look at its ``grad_fn``.
assert not w[:2].detach().requires_grad
assert w[:2].grad_fn is not None
assert view.grad_fn is None

# %% tags=["hide-input"]
# Square: what ``requires_grad`` says. Cross: whether ``w`` gets a gradient. Where the
# two are apart (dashed), the flag lies.
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
# Related: :doc:`no_grad_inference_mode_enable_grad`,
# :doc:`/gallery/three-ways/detach_cuts_one_tensor`. Source: `Views created in no_grad
# block still have requires_grad=True <https://github.com/pytorch/pytorch/issues/11390>`__.
