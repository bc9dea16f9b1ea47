"""
``Got unsupported ScalarType BFloat16``
=======================================

NumPy itself has no ``bfloat16``, and ``numpy(force=True)`` does not convert the dtype.
Convert first: ``t.float().numpy()``, or ``t.detach().float().numpy()`` for a tensor
that requires a gradient.
"""

# %%
import torch

t = torch.tensor([1.5, 1e6], dtype=torch.bfloat16)
try:
    # Wrong: there is no such dtype in NumPy.
    t.numpy()
except TypeError as error:
    print(f"TypeError: {error}")
else:
    raise AssertionError("NumPy has a bfloat16")
# Right: float32 holds each value of bfloat16 exactly.
array = t.float().numpy()
print(array.dtype, array)
assert torch.from_numpy(array).bfloat16().equal(t)

# %%
# - ``t.half()`` is no cure: ``float16`` ends at 65504, and ``1e6`` becomes infinite.
# - ``tolist()`` and ``item()`` work without a conversion.
# - The array of ``float()`` is a copy. A write to it does not change the tensor.
# - The ``float8`` dtypes raise the same error with their own name, and ``float()`` is
#   the cure for them, too.
print(t.half().tolist(), t.tolist())
assert t.half().isinf().any()
assert t.tolist() == t.float().tolist()
array[:] = 0
assert t[0].item() == 1.5
small = torch.tensor([1.5]).to(torch.float8_e4m3fn)
try:
    small.numpy()
except TypeError as error:
    message = str(error)
else:
    raise AssertionError("NumPy has a float8")
assert "Got unsupported ScalarType Float8" in message
assert small.float().numpy() == [1.5]

# %%
# Read on: :doc:`/gallery/detach/to_numpy`.
