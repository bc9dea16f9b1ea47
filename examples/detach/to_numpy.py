"""
numpy() wants a detached tensor, and shares its memory
======================================================

The error tells you to detach. It doesn't tell you that the array uses the memory of the
tensor: a write to the array can change gradients without any error.
"""

# %%
# Why "Can't call numpy() on Tensor that requires grad"?
# ------------------------------------------------------
# NumPy records nothing, so the gradient would end here unnoticed. PyTorch makes you say
# so. You may never have written ``numpy()``: NumPy and matplotlib call it for you.
import matplotlib.pyplot as plt
import numpy as np
import torch

image = torch.linspace(0, 2, 9, requires_grad=True)
output = image.exp()
for convert in (torch.Tensor.numpy, np.asarray, np.exp, plt.plot):
    try:
        convert(output)
    except RuntimeError as error:
        print(f"{type(error).__name__}: {error}")
    else:
        raise AssertionError("a tensor that requires grad became an array")
plt.close()

# %%
# Under ``no_grad()`` there is no error, even if the tensor was recorded before. And
# ``numpy(force=True)`` detaches for you (:torch:`torch.Tensor.numpy`). On the CPU, all
# of these share the memory.
arrays = [output.detach().numpy(), output.numpy(force=True)]
with torch.no_grad():
    arrays.append(output.numpy())
assert all(array.ctypes.data == output.data_ptr() for array in arrays)

# %%
# Which conversions copy?
# -----------------------
# ``tolist()`` and ``item()`` copy, and never ask you to detach. ``bfloat16`` is unknown
# to NumPy, and ``force=True`` doesn't change that. ``float()`` makes a copy in a dtype
# that NumPy knows.
assert image.tolist()[-1] == image[-1].item() == 2.0
try:
    image.bfloat16().numpy(force=True)
except TypeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("NumPy has learned bfloat16")
assert image.bfloat16().float().numpy(force=True).dtype == np.float32

# %%
# Why is my gradient wrong, without an error?
# -------------------------------------------
# Because something wrote to the array, say to scale it for a plot, and ``exp()`` has
# saved its output for ``backward()``. A write through the tensor is counted, so that
# ``backward()`` finds out. A write through the array is not.
output.detach().div_(2)
try:
    output.sum().backward()
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("backward() did not notice the write")

gradients = {}
for way in ("numpy()", "numpy().copy()"):
    output = image.exp()
    array = output.detach().numpy()
    if way == "numpy().copy()":
        array = array.copy()
    array /= 2
    (gradients[way],) = torch.autograd.grad(output.sum(), image)
    print(f"{way:15} {gradients[way][-1]:.2f}")
assert gradients["numpy().copy()"].equal(image.exp())
assert gradients["numpy()"].equal(image.exp() / 2)

# %% tags=["hide-input"]
# The gradient of ``exp()`` is ``exp()``. It is right if a copy is scaled (circles), and
# half of that if the array is (crosses).
_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
points = image.detach().numpy()
ax.plot(points, gradients["numpy().copy()"], "C0-o", lw=2, label="numpy().copy()")
ax.plot(points, gradients["numpy()"], "C2--x", lw=2, ms=9, mew=3, label="numpy()")
ax.set(xlabel="image", ylabel="image.grad")
ax.legend()
plt.show()

# %%
# To read or plot, use ``t.numpy(force=True)``, which also brings a tensor from the GPU.
# Add ``.copy()`` before you write.
#
# Related: :doc:`clone_and_detach`, :doc:`/gallery/three-ways/detach_cuts_one_tensor`.
