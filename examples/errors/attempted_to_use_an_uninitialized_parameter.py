"""
``Attempted to use an uninitialized parameter``
===============================================

A lazy layer has no weight before its first batch, so ``requires_grad_()`` can't change
it. Pass one batch through the network first, then freeze.
"""

# %%
import torch

# Wrong: the weight has no shape yet.
layer = torch.nn.LazyLinear(2)
try:
    layer.requires_grad_(False)
except ValueError as error:
    print(f"ValueError: {error}")
else:
    raise AssertionError("the layer had a weight")
# Right: one batch creates the weight, and then it is frozen.
layer.eval()
with torch.no_grad():
    layer(torch.ones(1, 4))
layer.requires_grad_(False)
print(layer.weight.shape, layer.weight.requires_grad)
assert not layer.weight.requires_grad

# %%
# ``eval()`` is there for networks with batch norm: in training mode, the first batch
# would change its statistics. Call ``train()`` afterwards if the network should train.

# %%
# Freeze before the first batch
# -----------------------------
# The assignment ``parameter.requires_grad = False`` works already, and still holds when
# the weight is created.
layer = torch.nn.LazyLinear(2)
for parameter in layer.parameters():
    parameter.requires_grad = False
layer(torch.ones(1, 4))
print(layer.weight.shape, layer.weight.requires_grad)
assert not layer.weight.requires_grad

# %%
# Other calls that come too early
# -------------------------------
# Counting parameters with ``numel()``, calculating with them, and most functions of
# ``nn.init`` raise the same error. ``kaiming_normal_()`` and the attribute ``shape``
# raise ``Can't access the shape of an uninitialized parameter or buffer``. Pass the
# batch through the network first.
layer = torch.nn.LazyLinear(2)
# Wrong: the weight can't be counted or initialised yet.
for early in (layer.weight.numel, lambda: torch.nn.init.zeros_(layer.weight)):
    try:
        early()
    except ValueError as error:
        message = str(error)
    else:
        raise AssertionError("the layer had a weight")
    assert message.startswith("Attempted to use an uninitialized parameter")
for early in (torch.nn.init.kaiming_normal_, lambda weight: weight.shape):
    try:
        early(layer.weight)
    except RuntimeError as error:
        message = str(error)
    else:
        raise AssertionError("the layer had a weight")
    assert message.startswith("Can't access the shape of an uninitialized parameter")
# Right: after the first batch both work.
layer(torch.ones(1, 4))
torch.nn.init.zeros_(layer.weight)
print(layer.weight.numel())
assert layer.weight.numel() == 8

# %%
# Read on: :doc:`/gallery/freezing/parametrized_and_lazy_layers`.
