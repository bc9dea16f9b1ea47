"""
``Legacy autograd function with non-static forward method is deprecated``
=========================================================================

A custom function is called on an instance, as PyTorch before 1.5 allowed. Call
``Name.apply(x)``. Put ``@staticmethod`` above both methods, and ``ctx`` for ``self``.
"""

# %%
import torch


class Double(torch.autograd.Function):
    forward = backward = staticmethod(lambda _ctx, value: 2 * value)


x = torch.ones(2, requires_grad=True)
try:
    # Wrong: an instance is called.
    Double()(x)
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("an instance was called")
Double.apply(x).sum().backward()  # right
assert x.grad.tolist() == [2, 2]

# %%
# A class with options in ``__init__``
# ------------------------------------
# ``apply()`` makes no instance. Pass the options as inputs, store them on ``ctx``, and
# return ``None`` for each of them. Tensors go through ``save_for_backward``. A small
# module keeps the old way to call it.


# Wrong: the options are in the instance, and the tensors in self.
class OldReverse(torch.autograd.Function):
    def __init__(self, scale):
        self.scale = scale

    def forward(self, x):
        return x.view_as(x)

    def backward(self, gradient):
        return -self.scale * gradient


# Right: the option is an input.
class ReverseFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, scale):
        ctx.scale = scale
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient):
        return -ctx.scale * gradient, None


class Reverse(torch.nn.Module):
    def __init__(self, scale):
        super().__init__()
        self.scale = scale

    def forward(self, x):
        return ReverseFunction.apply(x, self.scale)


gradients = []
for kind in (OldReverse, Reverse):
    x.grad = None
    try:
        kind(0.5)(x).sum().backward()
    except RuntimeError as error:
        message = str(error)
    gradients.append(x.grad)
print(gradients)
assert message.startswith("Legacy autograd function")
assert gradients[0] is None
assert gradients[1].tolist() == [-0.5, -0.5]

# %%
# Before the error there is a warning, ``should not be instantiated``. The methods are
# not checked: ``apply()`` works without ``@staticmethod``, too, and ``self`` is then
# the ``ctx``.
import warnings


class Unmarked(torch.autograd.Function):
    def forward(self, x):
        return 2 * x

    def backward(self, gradient):
        return 2 * gradient


with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    Unmarked()
assert "should not be instantiated" in str(caught[0].message)
x.grad = None
Unmarked.apply(x).sum().backward()
assert x.grad.tolist() == [2, 2]

# %%
# PyTorch 1.2 and 1.3 only warned: ``is deprecated and will be removed in 1.3`` (quoted
# from `temporal-shift-module 20
# <https://github.com/mit-han-lab/temporal-shift-module/issues/20>`__ and `pytorch-gdn 2
# <https://github.com/jorge-pessoa/pytorch-gdn/issues/2>`__, not run). In 1.5 it is the
# `error <https://github.com/josipd/torch-two-sample/pull/6>`__.
#
# Read on: :doc:`/gallery/modes/custom_functions_that_fail`.
