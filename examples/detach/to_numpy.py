"""
numpy() fails on a tensor that requires grad: use numpy(force=True)
===================================================================

The array uses the memory of the tensor. Before you write to the array, add ``.copy()``,
or a gradient can be wrong without an error.
"""

# %%
# Why "Can't call numpy() on Tensor that requires grad"?
# ------------------------------------------------------
# NumPy does not record operations: no gradient can pass through an array.
import torch

image = torch.linspace(0, 2, 9, requires_grad=True)
output = image.exp()
try:
    output.numpy()  # wrong
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("a tensor that requires grad became an array")
array = output.numpy(force=True)  # right
print(array.max())
assert array.ctypes.data == output.data_ptr()

# %%
# I never called ``numpy()``. Where does the error come from?
# -----------------------------------------------------------
# NumPy and matplotlib convert their arguments. Convert them yourself, or run the code
# under ``no_grad()``: there is no error, even if the tensor was recorded before.
# ``numpy(force=True)`` is short for ``detach()``, ``cpu()``, ``resolve_conj()`` and
# ``resolve_neg()``, then ``numpy()`` (:torch:`torch.Tensor.numpy`).
import matplotlib.pyplot as plt
import numpy as np

for convert in (np.asarray, np.exp, plt.plot):
    try:
        convert(output)
    except RuntimeError as error:
        message = str(error)
    else:
        raise AssertionError("a tensor that requires grad became an array")
    assert "Can't call numpy() on Tensor that requires grad" in message
plt.close()
arrays = [output.detach().numpy(), output.numpy(force=True)]
with torch.no_grad():
    arrays += [output.numpy(), np.asarray(output)]
assert all(array.ctypes.data == output.data_ptr() for array in arrays)

# %%
# ``can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu()``
# ----------------------------------------------------------------------
# NumPy reads the memory of the CPU alone. Write ``t.detach().cpu().numpy()``, or
# ``t.numpy(force=True)``, for a tensor on ``cuda:0``, ``mps:0`` or ``xpu:0``.
# matplotlib, pandas, scikit-learn and OpenCV convert what you give them, so they raise
# it, too. The order of ``detach()`` and ``cpu()`` does not matter to the result.
#
# A list of tensors raises the same error for its first element. Convert them when you
# store them, or all at once: ``torch.stack(losses).numpy(force=True)``. ``meta`` stands
# for the GPU here.
on_device = torch.ones(2, device="meta")
for convert in (on_device.numpy, lambda: np.asarray(on_device)):
    try:
        convert()
    except TypeError as error:
        message = str(error)
    else:
        raise AssertionError("a tensor of another device became an array")
    assert "can't convert meta device type tensor to numpy" in message
print(message)
losses = [(image * factor).sum() for factor in (1, 2)]
for detached in (losses[0].detach().cpu(), losses[0].cpu().detach()):
    assert detached.numpy() == losses[0].numpy(force=True)
curve = torch.stack(losses).numpy(force=True)
print(curve.shape, curve.tolist() == [loss.item() for loss in losses])
assert curve.tolist() == [loss.item() for loss in losses]

# %%
# NumPy, SciPy or OpenCV in ``forward()``: how does the gradient get through?
# ---------------------------------------------------------------------------
# Not by itself: ``torch.from_numpy()`` makes a new leaf, and what comes before it does
# not train. Look for the function of PyTorch first: ``torch.clamp`` for ``np.clip``,
# ``torch.linalg.norm``, ``torch.fft``, ``torch.special``, a convolution for a filter of
# SciPy, ``grid_sample`` for ``cv2.warpAffine``. If there is none, write a
# :torch:`torch.autograd.Function <autograd.html#function>` that computes the forward
# with NumPy, and whose ``backward()`` knows the derivative. Here it interpolates in a
# table. :torch:`torch.autograd.gradcheck` compares it with finite differences.
from torch.autograd.function import once_differentiable

knots, values = np.array([0.0, 1.0, 2.0, 3.0]), np.array([0.0, 1.0, 4.0, 9.0])


def as_tensor_like(array, x):
    return torch.as_tensor(array, dtype=x.dtype, device=x.device)


class Interpolate(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return as_tensor_like(np.interp(x.numpy(force=True), knots, values), x)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        right = np.searchsorted(knots, x.numpy(force=True)).clip(1, len(knots) - 1)
        slopes = np.diff(values) / np.diff(knots)
        return gradient * as_tensor_like(slopes[right - 1], x)


x = torch.tensor([0.5, 2.5], dtype=torch.float64, requires_grad=True)
array = np.interp(x.numpy(force=True), knots, values)
cut = torch.from_numpy(array)  # wrong: a new leaf
result = Interpolate.apply(x)  # right
(gradient,) = torch.autograd.grad(result.sum(), x)
print(cut.requires_grad, result.requires_grad, gradient)
assert not cut.requires_grad
assert result.tolist() == [0.5, 6.5] == cut.tolist()
assert gradient.tolist() == [1, 5]
assert torch.autograd.gradcheck(Interpolate.apply, x)

# %%
# ``once_differentiable`` belongs there, because autograd does not record what
# ``backward()`` computes with NumPy. A second derivative, as in a gradient penalty,
# then raises an error where it would be wrong: behind a square, for instance. Behind a
# sum, the gradient has no graph, and nothing raises
# (:doc:`/gallery/beyond/complex_and_double_backward`).
(gradient,) = torch.autograd.grad(Interpolate.apply(x).sum(), x, create_graph=True)
assert not gradient.requires_grad
loss = Interpolate.apply(x).square().sum()
(gradient,) = torch.autograd.grad(loss, x, create_graph=True)
try:
    gradient.sum().backward()
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("the backward with NumPy was differentiated")
assert "once_differentiable" in message

# %%
# SciPy's ``odeint`` or ``solve_ivp``: the derivative of the solution of an ODE
# -----------------------------------------------------------------------------
# SciPy computes with NumPy, so there is no graph from the solution back to the times,
# the initial value or the constants. ``torch.tensor(y, requires_grad=True)`` only makes
# a new leaf, and ``autograd.grad`` says that the tensor ``appears to not have been used
# in the graph``. ``allow_unused=True`` gives None. And ``t[-1]``, written in the call,
# is a new tensor in any case: ask for ``t``, and index the gradient.
#
# - By the time at which you read the solution, you need no autograd: dy/dt is
#   ``f(t, y)``, the right-hand side.
# - By the initial value or the constants, solve with PyTorch: ``odeint(f, y0, t)`` of
#   `torchdiffeq <https://github.com/rtqichen/torchdiffeq>`__ (not run here), or a few
#   lines for a fixed step. A ``Function`` as above works, too, if you know the
#   derivative.
#
# The same solver (Runge-Kutta) with NumPy, in the place of SciPy, and with PyTorch:
from itertools import pairwise


def solve(f, y, t):
    for start, end in pairwise(t):
        h = end - start
        a = f(start, y)
        b = f(start + h / 2, y + h / 2 * a)
        c = f(start + h / 2, y + h / 2 * b)
        d = f(end, y + h * c)
        y = y + h / 6 * (a + 2 * b + 2 * c + d)
    return y


t = torch.linspace(0, 1, 11, dtype=torch.float64, requires_grad=True)
rate = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
solution = solve(lambda t, y: -2.0 * y, 1.0, t.detach().numpy())
y = torch.tensor(solution, requires_grad=True)  # wrong: a new leaf
try:
    torch.autograd.grad(y, t)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("the solution had a graph")
assert "appears to not have been used in the graph" in message
assert torch.autograd.grad(y, t, allow_unused=True) == (None,)
y = solve(lambda t, y: -rate * y, 1.0, t)  # right
by_t, by_rate = torch.autograd.grad(y, [t, rate])
print(f"{by_t[-1]:.3f} {-rate * y:.3f} {by_rate:.3f}")
assert abs(y.item() - solution) < 1e-9
assert abs(by_t[-1] + rate * y) < 1e-4
assert abs(by_rate + torch.exp(-rate)) < 1e-4

# %%
# Why is my gradient wrong, without an error?
# -------------------------------------------
# Because some code wrote to the array, for example to scale it for a plot, and
# ``exp()`` has saved its output for ``backward()``. A write through the tensor is
# counted, so ``backward()`` raises an error. A write through the array is not counted.
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
# half of that if the array itself is scaled (crosses).
_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
points = image.detach().numpy()
ax.plot(points, gradients["numpy().copy()"], "C0-o", lw=2, label="numpy().copy()")
ax.plot(points, gradients["numpy()"], "C2--x", lw=2, ms=9, mew=3, label="numpy()")
ax.set(xlabel="image", ylabel="image.grad")
ax.legend()
plt.show()

# %%
# Where it ends
# -------------
# Some conversions copy: ``tolist()``, ``item()``, another dtype, and ``force=True`` for
# a conjugate view. ``tolist()`` and ``item()`` work without ``detach()``. NumPy has no
# ``bfloat16`` and no sparse arrays, and ``force=True`` does not change that: call
# ``float()`` or ``to_dense()`` first.
assert image.tolist()[-1] == image[-1].item() == 2.0
plain = torch.ones(2)
assert np.asarray(plain).ctypes.data == plain.data_ptr()
assert np.asarray(plain, dtype=np.float64).ctypes.data != plain.data_ptr()
conjugate = torch.ones(2, dtype=torch.complex64).conj()
assert conjugate.numpy(force=True).ctypes.data != conjugate.data_ptr()
messages = []
for tensor in (torch.eye(2).to_sparse(), image.bfloat16()):
    try:
        tensor.numpy(force=True)
    except TypeError as error:
        messages.append(f"{type(error).__name__}: {error}")
    else:
        raise AssertionError("NumPy can hold it")
print(messages[1])
assert image.bfloat16().float().numpy(force=True).dtype == np.float32
assert torch.eye(2).to_sparse().to_dense().numpy().shape == (2, 2)

# %%
# To read or plot, use ``t.numpy(force=True)``. It also copies a tensor from the GPU to
# the CPU. Add ``.copy()`` before you write.
#
# Related: :doc:`clone_and_detach`, :doc:`data_is_not_detach`,
# :doc:`/gallery/three-ways/detach_cuts_one_tensor`.
