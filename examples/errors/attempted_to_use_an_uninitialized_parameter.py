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
# ``Cannot copy out of meta tensor; no data!``
# --------------------------------------------
# Here the parameters have a shape, but no values: the model was made on the device
# ``meta``, by ``low_cpu_mem_usage=True``, ``device_map`` or ``init_empty_weights()``,
# and some weights were not loaded. The message proposes ``to_empty()``, which gives
# memory with arbitrary values: with it, load all weights afterwards. Better look for
# what was not loaded. A model with a ``device_map`` is placed already, so don't call
# ``.to("cuda")``. If parts went to disk or to the CPU because the GPU is full, they are
# on ``meta`` between two calls: take a smaller model, 4 bits, or
# ``device_map={"": 0}``. In plain PyTorch, ``load_state_dict(..., assign=True)`` fills
# such a model; without ``assign`` the values are lost, with a warning only.
import warnings

with torch.device("meta"):
    empty = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 1))
saved = {"0.weight": torch.ones(2, 2), "0.bias": torch.zeros(2)}  # not all
empty.load_state_dict(saved, strict=False, assign=True)
try:
    # Wrong: a part has no values.
    empty.to("cpu")
except NotImplementedError as error:
    message = str(error)
else:
    raise AssertionError("values came from nowhere")
print(message)
assert message.startswith("Cannot copy out of meta tensor; no data!")
# What was not loaded?
missing = [name for name, p in empty.named_parameters() if p.is_meta]
print(missing)
assert missing == ["1.weight", "1.bias"]
# Right: make this part anew.
empty[1] = torch.nn.Linear(2, 1)
assert empty.to("cpu")(torch.ones(1, 2)).requires_grad
with torch.device("meta"):
    lost = torch.nn.Linear(2, 2)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    lost.load_state_dict({"weight": torch.ones(2, 2), "bias": torch.zeros(2)})
print(lost.weight.is_meta, len(caught))
assert lost.weight.is_meta
assert caught

# %%
# Read on: :doc:`/gallery/freezing/parametrized_and_lazy_layers`.
