"""
No inf checks were recorded: GradScaler and an optimizer of frozen parameters
=============================================================================

``GradScaler`` checks the gradients for inf and NaN before it lets an optimizer step. If
all parameters of the optimizer are frozen, there is nothing to check, and
``scaler.step()`` raises.
"""

# %%
# How you get the error
# ---------------------
# Each part has its own optimizer, and the backbone is frozen for the first epochs.
import torch

torch.manual_seed(0)
backbone, head = torch.nn.Linear(4, 4), torch.nn.Linear(4, 1)
backbone.requires_grad_(False)
optimizers = [torch.optim.SGD(part.parameters(), lr=0.1) for part in (backbone, head)]
scaler = torch.amp.GradScaler("cpu")
x = torch.ones(2, 4)
scaler.scale(head(backbone(x)).sum()).backward()
try:
    scaler.step(optimizers[0])
except AssertionError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("the scaler stepped without gradients")

# %%
# The optimizer of the head steps. Step only those optimizers that have a gradient, or
# give all parameters to one.
before = head.weight.clone()
scaler.step(optimizers[1])
scaler.update()
assert not torch.equal(head.weight, before)


def has_gradients(optimizer):
    groups = optimizer.param_groups
    return any(p.grad is not None for group in groups for p in group["params"])


print([has_gradients(optimizer) for optimizer in optimizers])
assert [has_gradients(optimizer) for optimizer in optimizers] == [False, True]

# %%
# Does autocast change what is frozen?
# ------------------------------------
# No. The result is in ``bfloat16``, a gradient has the dtype of its parameter, and a
# frozen parameter gets none.
backbone.zero_grad()
head.zero_grad()
with torch.autocast("cpu", torch.bfloat16):
    out = head(backbone(x))
out.float().sum().backward()
print(out.dtype, head.weight.grad.dtype, backbone.weight.grad)
assert out.dtype == torch.bfloat16
assert head.weight.grad.dtype == torch.float32
assert backbone.weight.grad is None

# %%
# Autocast keeps the weights that it has cast. If it kept one from a forward under
# ``no_grad()``, a later forward in the same block would find a weight without a graph.
# That does not happen (:since:`2.11`; before, the ``backward()`` below raised): the
# second forward trains.
head.zero_grad()
with torch.autocast("cpu", torch.bfloat16):
    with torch.no_grad():
        head(x)
    recorded = head(x)
assert recorded.requires_grad, "before PyTorch 2.11, autocast kept such a weight"
recorded.float().sum().backward()
assert head.weight.grad is not None

# %% tags=["hide-input"]
# What the scaler finds. Square: an optimizer with gradients, which steps. Cross: one
# without, which raises.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 2), layout="constrained")
for name, optimizer in zip(("backbone", "head"), optimizers, strict=True):
    square = {"marker": "s", "fc": "none", "ec": "C0"}
    look = square if has_gradients(optimizer) else {"marker": "x", "c": "C2"}
    ax.scatter(0, name, s=250, lw=2, **look)
ax.set_xticks([0], ["scaler.step()"])
ax.margins(0.5, 0.6)
ax.invert_yaxis()
plt.show()

# %%
# ``clip_grad_norm_`` takes frozen parameters without complaint: their norm is 0.
norm = torch.nn.utils.clip_grad_norm_(backbone.parameters(), 1.0)
assert norm == 0

# %%
# Prefer one optimizer with all parameters. Source: :torch:`Automatic mixed precision
# <notes/amp_examples.html#working-with-multiple-models-losses-and-optimizers>`, which
# says how a scaler works with several optimizers. This page was not run on a GPU.
#
# Related: :doc:`/gallery/freezing/unfreeze_gradually`,
# :doc:`/gallery/recipes/freeze_in_gradient_accumulation`,
# :doc:`add_param_group_errors`.
