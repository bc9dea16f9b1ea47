"""
``trying to differentiate twice a function that was marked with @once_differentiable``
======================================================================================

A loss contains the gradient of a custom function that has no second derivative. If its
``backward()`` consists of PyTorch's operations, remove ``@once_differentiable``. If
not, write a second function for it.
"""

# %% tags=["hide-input"]
# The square. Its ``backward()`` consists of PyTorch's operations.
import torch
from torch.autograd import Function, grad
from torch.autograd.function import once_differentiable


class Right(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**2

    @staticmethod
    def backward(ctx, gradient):
        return 2 * ctx.saved_tensors[0] * gradient


# %%
class Wrong(Right):
    # The same backward(), with @once_differentiable.
    backward = staticmethod(once_differentiable(Right.backward))


x = torch.tensor([1.0, 2.0], requires_grad=True)
for function in (Wrong, Right):
    (slope,) = grad(function.apply(x).square().sum(), x, create_graph=True)
    try:
        slope.sum().backward()
        print(x.grad)
    except RuntimeError as error:
        print(f"RuntimeError: {error}")
    assert (x.grad is None) == (function is Wrong)
assert x.grad.tolist() == [12, 48]

# %%
# The error comes from the second ``backward()``. The first one runs, with
# ``create_graph=True``, too.
#
# A backward() that is not PyTorch's
# ----------------------------------
# With NumPy or a kernel of your own, PyTorch can't record what ``backward()`` computes.
# The mark is there for this. Without it nothing is raised, and the second derivative is
# wrong: it should be ``2 cos(2x)``, which is 2 at 0 and -2 at ``π/2``. Make what
# ``backward()`` computes a function, with a ``backward()`` of its own, and check it
# with ``gradgradcheck``.
import numpy as np


def of_numpy(function, x):
    return torch.from_numpy(function(x.detach().numpy()))


class Unmarked(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return of_numpy(np.sin, x)

    @staticmethod
    def backward(ctx, gradient):
        # Wrong: this is a constant for PyTorch.
        return gradient * of_numpy(np.cos, ctx.saved_tensors[0])


class Sine(Unmarked):
    @staticmethod
    def backward(ctx, gradient):
        # Right: this is a function, too.
        return gradient * Cosine.apply(ctx.saved_tensors[0])


class Cosine(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return of_numpy(np.cos, x)

    @staticmethod
    def backward(ctx, gradient):
        return -gradient * Sine.apply(ctx.saved_tensors[0])


at = torch.tensor([0, torch.pi / 2], dtype=torch.float64, requires_grad=True)
seconds = []
for function in (Unmarked, Sine):
    (slope,) = grad(function.apply(at).square().sum(), at, create_graph=True)
    seconds.append([round(value, 3) for value in grad(slope.sum(), at)[0].tolist()])
    passes = torch.autograd.gradgradcheck(function.apply, at, raise_exception=False)
    print(function.__name__, seconds[-1], passes)
    assert passes == (function is Sine)
assert seconds == [[2, 0], [2, -2]]

# %%
# If the function is not yours
# ----------------------------
# Replace the gradient in the loss by finite differences: then each call needs its first
# derivative only. An author of `tiny-cuda-nn
# <https://github.com/NVlabs/tiny-cuda-nn/issues/50>`__ advises this. Double precision
# keeps the difference exact enough.
at = x.detach().double().requires_grad_()
step = 1e-4
higher, lower = (Wrong.apply(at + shift).square() for shift in (step, -step))
slope = (higher - lower) / (2 * step)
slope.sum().backward()
print([round(value, 3) for value in at.grad.tolist()])
assert torch.allclose(at.grad, x.grad.double())


# %%
# MAML, higher: it runs with ``track_higher_grads=False``. Is the result the same?
# --------------------------------------------------------------------------------
# No. ``diffopt.step()`` of higher makes an inner step whose gradient has a graph, and
# the outer ``backward()``, or a later loss that contains this gradient, differentiates
# it once more. With a function that is marked, it raises. ``track_higher_grads=False``
# detaches the weights after each inner step (`source
# <https://github.com/facebookresearch/higher/blob/main/higher/optim.py>`__, read, not
# run). Then nothing is differentiated twice, but the outer gradient ends at the adapted
# weights: what the inner steps should teach, such as an initialisation, a learned
# learning rate or learned data, gets no gradient from them. That is first order at
# best (:doc:`/gallery/recipes/meta_learning`). For the exact gradient, replace the
# marked operation by one that has a second derivative. Below, one inner step with a
# learned rate:
def outer(function, *, track):
    weight, rate = (torch.tensor(value, requires_grad=True) for value in (1.0, 0.1))
    (slope,) = grad(function.apply(weight).square(), weight, create_graph=track)
    adapted = weight - rate * slope
    if not track:
        adapted = adapted.detach().requires_grad_()
    try:
        function.apply(adapted).backward()
    except RuntimeError as error:
        return str(error)[:35]
    return [
        p.grad if p.grad is None else round(p.grad.item(), 2) for p in (weight, rate)
    ]


for function, track in ((Wrong, True), (Wrong, False), (Right, True)):
    print(function.__name__, track, outer(function, track=track))
assert outer(Wrong, track=True) == "trying to differentiate twice a fun"
assert outer(Wrong, track=False) == [None, None]
assert outer(Right, track=True) == [-0.24, -4.8]

# %%
# Where the mark raises nothing
# -----------------------------
# It raises only if the gradient that arrives in ``backward()`` requires a gradient.
#
# - If the loss is the sum of its outputs, that gradient is a constant. Then the slope
#   has no graph, and in a larger loss this part is missing.
# - ``autograd.grad`` in place of ``backward()`` raises another error.
# - ``torch.autograd.functional.hessian`` and two nested ``torch.func.grad`` give zeros.
#   With ``strict=True``, ``hessian`` raises an error.


class WithContext(Function):
    @staticmethod
    def forward(x):
        return x**2

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    backward = Wrong.backward


def fourth(x):
    return WithContext.apply(x).square().sum()


(slope,) = grad(Wrong.apply(x).sum(), x, create_graph=True)
assert not slope.requires_grad
for function, expected in ((Wrong, [6, 12]), (Right, [8, 14])):
    (slope,) = grad((function.apply(x) + x**3).sum(), x, create_graph=True)
    assert grad(slope.sum(), x)[0].tolist() == expected

try:
    (slope,) = grad(fourth(x), x, create_graph=True)
    grad(slope.sum(), x)
except RuntimeError as error:
    message = str(error)
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("the function was differentiated twice")
assert "appears to not have been used" in message

from torch.autograd.functional import hessian

nested = torch.func.grad(lambda x: torch.func.grad(fourth)(x).sum())(x.detach())
print(nested, hessian(fourth, x.detach()).diag())
assert nested.tolist() == hessian(fourth, x.detach()).diag().tolist() == [0, 0]
try:
    hessian(fourth, x.detach(), strict=True)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("strict=True accepted it")
assert "is independent of input 0" in message

# %%
# Older versions of PyTorch write `markedwith
# <https://github.com/facebookresearch/higher/issues/137>`__ as one word (not run).
#
# Read on: :doc:`/gallery/modes/custom_functions_that_fail`.
