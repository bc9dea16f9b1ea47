"""
``nn.Module.to only accepts floating point or complex dtypes``
==============================================================

``module.to()`` got an integer dtype, or an integer tensor, from which it takes the
dtype. It refuses both, whatever the module holds. Convert to ``bfloat16`` or ``half``,
or pass only the device of the tensor.
"""

# %%
import torch

layer = torch.nn.Linear(2, 1)

# Wrong: an integer dtype
try:
    layer.to(torch.int8)
except TypeError as error:
    print(f"TypeError: {error}")
else:
    raise AssertionError("a module was converted to integers")

# Right: a smaller floating point dtype
layer.to(torch.bfloat16)
print(layer.weight.dtype)
assert layer.weight.dtype == torch.bfloat16

# %%
# Moving a module to the device of a tensor
# -----------------------------------------
# ``to(tensor)`` takes the device and the dtype of the tensor. The dtype of labels or
# token ids is an integer.
labels = torch.tensor([0, 1])

# Wrong: the device and the dtype
try:
    layer.to(labels)
except TypeError as error:
    message = str(error)
else:
    raise AssertionError("a module was converted to integers")
assert message.startswith("nn.Module.to only accepts floating point or complex")

# Right: only the device
layer.to(labels.device)
print(layer.weight.device == labels.device)
assert layer.weight.device == labels.device

# %%
# Integers in a module
# --------------------
# To store integers, register a buffer. ``to()`` converts parameters and buffers that
# are floating point or complex, and leaves integers as they are. To quantise a whole
# model, use the package `torchao <https://docs.pytorch.org/ao/>`__.
layer.register_buffer("codes", torch.ones(2, dtype=torch.int8))
layer.to(torch.float64)
print(layer.weight.dtype, layer.codes.dtype)
assert layer.weight.dtype == torch.float64
assert layer.codes.dtype == torch.int8

# %%
# Read on: :doc:`/gallery/beyond/quantised_and_scripted`.
