"""
``You must implement either the backward or vjp method``
========================================================

A gradient arrived at a custom function whose class has no ``backward()``, or one that
is misspelled or indented too far. Write the method, below ``@staticmethod``.
"""

# %%
import torch


# Wrong: there is only a forward.
class Double(torch.autograd.Function):
    @staticmethod
    def forward(_ctx, x):
        return 2 * x


class Right(Double):
    @staticmethod
    def backward(_ctx, gradient):
        return 2 * gradient


x = torch.ones(2, requires_grad=True)
for function in (Double, Right):
    try:
        function.apply(x).sum().backward()
        print(x.grad)
    except NotImplementedError as error:
        print(f"NotImplementedError: {error}")
    assert (x.grad is not None) == (function is Right)
assert x.grad.tolist() == [2, 2]

# %%
# No gradient is wanted
# ---------------------
# Rounding has no useful derivative. These are three ways to write that, with the
# gradient of ``x`` if the loss is ``rounded + x``, and if it is ``rounded`` alone:
#
# - ``mark_non_differentiable`` makes the output a constant. A loss of nothing else
#   raises :doc:`element_0_of_tensors_does_not_require_grad`.
# - A ``backward()`` that returns ``None`` stops the gradient. ``loss.backward()``
#   raises nothing, but ``autograd.grad`` raises
#   :doc:`appears_to_not_have_been_used_in_the_graph`.
# - A straight-through ``backward()`` returns the gradient as it came.


class Marked(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        output = x.round()
        ctx.mark_non_differentiable(output)
        return output


class Stopped(torch.autograd.Function):
    @staticmethod
    def forward(_ctx, x):
        return x.round()

    @staticmethod
    def backward(_ctx, _gradient):
        return None


class Straight(Stopped):
    @staticmethod
    def backward(_ctx, gradient):
        return gradient


def gradient(function, rest):
    rounded, x.grad = function.apply(x), None
    try:
        (rounded + rest).sum().backward()
    except RuntimeError as error:
        return str(error)
    return x.grad if x.grad is None else x.grad.tolist()


results = []
for function in (Marked, Stopped, Straight):
    results.append([gradient(function, rest) for rest in (x, 0)])
    print(function.__name__, *results[-1])
assert results == [
    [[1, 1], "element 0 of tensors does not require grad and does not have a grad_fn"],
    [[1, 1], None],
    [[2, 2], [1, 1]],
]
try:
    torch.autograd.grad(Stopped.apply(x).sum(), x)
except RuntimeError as error:
    message = str(error)
assert "appears to not have been used in the graph" in message

# %%
# When nothing is raised
# ----------------------
# The forward never raises, so validation does not find the mistake. Nor does training
# as long as all inputs of the function are frozen, or no gradient that you ask for
# leads through it. A factor of zero in the loss does not help.
from torch.autograd import grad


class Misspelled(Double):
    backwards = Right.backward


class IndentedTooFar(torch.autograd.Function):
    @staticmethod
    def forward(_ctx, x):
        def backward(_ctx, gradient):
            return 2 * gradient

        return 2 * x


other = torch.ones(2, requires_grad=True)
for function in (Double, Misspelled, IndentedTooFar):
    with torch.no_grad():
        assert function.apply(x).tolist() == [2, 2]
    assert not function.apply(x.detach()).requires_grad
    (found,) = grad((function.apply(x) * other).sum(), other)
    assert found.tolist() == [2, 2]
    try:
        grad((0 * function.apply(x) + x).sum(), x)
    except NotImplementedError:
        print(function.__name__, found.tolist())
        continue
    raise AssertionError(f"{function.__name__} was differentiated")

# %%
# ``vjp`` is another name for ``backward``, and a class may have only one of them.
# Forward mode needs ``jvp()`` and raises an error of its own.
from torch.autograd import forward_ad


class OfOtherName(Double):
    vjp = Right.backward


class Both(Right):
    vjp = Right.backward


assert grad(OfOtherName.apply(x).sum(), x)[0].tolist() == [2, 2]
try:
    grad(Both.apply(x).sum(), x)
except RuntimeError as error:
    message = str(error)
assert message.startswith("Implementing both 'backward' and 'vjp' for a custom")
with forward_ad.dual_level():
    try:
        Right.apply(forward_ad.make_dual(torch.ones(2), torch.ones(2)))
    except NotImplementedError as error:
        message = str(error)
assert message.startswith("You must implement the jvp function for custom autograd")

# %%
# Before ``vjp``, the text was ``You must implement the backward function for custom
# autograd.Function`` (quoted from `XNOR-Net-PyTorch 125
# <https://github.com/jiecaoyu/XNOR-Net-PyTorch/issues/125>`__, not run). A
# library may have written an operation for the forward only: `murenn 9
# <https://github.com/kymatio/murenn/issues/9>`__ (reported there, not run).
#
# Read on: :doc:`/gallery/modes/custom_functions_that_fail`.
