"""
A custom function has to ask which inputs are frozen
====================================================

A ``backward()`` that calls ``autograd.grad`` raises an error as soon as one input is
frozen. ``ctx.needs_input_grad`` says which gradients to compute.
"""

# %%
import torch


class Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx, *factors):
        ctx.save_for_backward(*factors)
        return factors[0] * factors[1]

    @staticmethod
    @torch.enable_grad()
    def backward(ctx, gradient):
        a, b = factors = ctx.saved_tensors
        needs = ctx.needs_input_grad if asks else (True, True)
        needed = [t for t, need in zip(factors, needs, strict=True) if need]
        found = iter(torch.autograd.grad(a * b, needed, gradient))
        return tuple(next(found) if need else None for need in needs)


x, frozen = torch.ones(2, requires_grad=True), torch.full((2,), 3.0)
for asks in (False, True):  # wrong, right
    try:
        Product.apply(x, frozen).sum().backward()
        print(x.grad)
    except RuntimeError as error:
        print(f"RuntimeError: {error}")
    assert (x.grad is not None) == asks

# %%
# For an input that needs none, return ``None``.
#
# ``autograd.grad()`` inside ``backward()`` returns None, or raises
# -----------------------------------------------------------------
# Put ``with torch.enable_grad():`` around the computation in ``backward()``, or write
# ``@torch.enable_grad()`` above it, as in the first cell. Without ``create_graph=True``
# a backward pass runs with grad mode off, so what ``backward()`` computes has no graph,
# although the saved tensors require a gradient. ``out.requires_grad = True`` afterwards
# makes a leaf of the result and does not bring its graph back; then ``autograd.grad()``
# raises ``One of the differentiated Tensors appears to not have been used in the
# graph``, and ``allow_unused=True`` turns this into ``(None,)``. Where you know the
# formula of the derivative, as ``gradient * w`` here, you need no ``autograd.grad()``.
# Detach a saved tensor before you compute with it again: it may be the result of
# operations outside of the function.


class Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx, w, x):
        ctx.save_for_backward(w, x)
        return (w * x).sum()

    @staticmethod
    def backward(ctx, gradient):
        w, x = ctx.saved_tensors
        modes.append(torch.is_grad_enabled())
        out = (w * x).sum()  # wrong: not recorded
        if not out.requires_grad:
            out.requires_grad = True
        (wrong,) = torch.autograd.grad(out, x, gradient, allow_unused=True)
        with torch.enable_grad():  # right
            x = x.detach().requires_grad_()
            out = (w.detach() * x).sum()
        (right,) = torch.autograd.grad(out, x, gradient)
        found.append((wrong, right))
        return None, right


modes, found = [], []
w, x = torch.full((2,), 3.0, requires_grad=True), torch.ones(2, requires_grad=True)
Sum.apply(w, x).backward()
torch.autograd.grad(Sum.apply(w, x), x, create_graph=True)
print("grad mode:", modes)
print("without and with enable_grad():", *found[0])
assert modes == [False, True]
assert found[0][0] is None
assert all(right.equal(w) for _, right in found)
with torch.no_grad():
    out = (w * x).sum()
out.requires_grad = True
try:
    torch.autograd.grad(out, x)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("a leaf has got its graph back")
assert "appears to not have been used in the graph" in message

# %%
# A checkpoint of your own
# ------------------------
# It runs a module without a graph, and again in the backward pass. The parameters have
# to be inputs, too, or they get no gradient. Frozen ones stay in the list, and are left
# out where gradients are computed. If all are frozen and the input requires a gradient,
# the gradient passes through.
from torch import nn
from torch.autograd import Function, grad


class CheckpointFunction(Function):
    @staticmethod
    def forward(ctx, module, x, *parameters):
        ctx.module, ctx.parameters = module, parameters
        ctx.save_for_backward(x)
        return module(x)

    @staticmethod
    def backward(ctx, gradient):
        _, for_x, *for_parameters = ctx.needs_input_grad
        x = ctx.saved_tensors[0].detach().requires_grad_(for_x)
        with torch.enable_grad():
            output = ctx.module(x)
        needs = (for_x, *for_parameters)
        inputs = (x, *ctx.parameters)
        needed = [t for t, need in zip(inputs, needs, strict=True) if need]
        found = iter(grad(output, needed, gradient, allow_unused=True))
        return None, *(next(found) if need else None for need in needs)


def checkpointed(module, x):
    return CheckpointFunction.apply(module, x, *module.parameters())


def gradients(call, module, asked):
    module.zero_grad()
    x = torch.ones(3, 2, requires_grad=asked)
    output = call(module, x)
    if output.requires_grad:
        output.sum().backward()
    return [
        None if t.grad is None else t.grad.tolist() for t in (x, *module.parameters())
    ]


torch.manual_seed(0)
module = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
for frozen in ((), (0,), (1,), (0, 1)):
    for index, layer in enumerate(module):
        layer.requires_grad_(index not in frozen)
    for asked in (True, False):
        expected = gradients(nn.Module.__call__, module, asked)
        assert gradients(checkpointed, module, asked) == expected
    print(frozen, [gradient is not None for gradient in expected])
    assert sum(gradient is not None for gradient in expected) == 4 - 2 * len(frozen)

# %%
# ``torch.utils.checkpoint`` with ``use_reentrant=False`` does the same, restores random
# numbers and autocast, too, and asks ``requires_grad`` for you:
# :doc:`/gallery/beyond/checkpointing_frozen_layers`.
#
# What raises an error, and what does not
# ---------------------------------------
# A wrong shape and a wrong number of gradients raise
# :doc:`/reference/errors/returned_an_invalid_gradient_at_index`, a class that is called
# as in old versions :doc:`/reference/errors/legacy_autograd_function`. A function
# without ``backward()`` raises only when a gradient arrives, so one behind frozen
# layers alone never does. With ``once_differentiable`` a gradient penalty raises, if
# the gradient that comes in requires one (:doc:`/reference/errors` has the text).


class OnlyForward(Function):
    @staticmethod
    def forward(_ctx, x):
        return x.round()


class Number(OnlyForward):
    @staticmethod
    def backward(_ctx, gradient):
        return 1.0


class Twice(OnlyForward):
    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(_ctx, gradient):
        return 2 * gradient


x = torch.ones(2, requires_grad=True)
assert not OnlyForward.apply(x.detach()).requires_grad
for function in (OnlyForward, Number, Twice):
    try:
        (first,) = grad(function.apply(x).square().sum(), x, create_graph=True)
        first.sum().backward()
    except (RuntimeError, NotImplementedError) as error:
        print(f"{type(error).__name__}: {error}")
    else:
        raise AssertionError(f"{function.__name__} was differentiated")

# %%
# ``it must override the setup_context staticmethod``: vmap, jacrev, torch.func.grad
# ----------------------------------------------------------------------------------
# The transforms of ``torch.func`` need ``forward()`` without ``ctx``, and a method
# ``setup_context(ctx, inputs, output)`` that saves. Under ``vmap``, the class needs
# ``generate_vmap_rule = True`` or a method ``vmap``, too, and in forward mode a method
# ``jvp`` (for ``jacfwd`` and ``hessian`` both). The three errors, each with its cure:
# :doc:`/reference/errors/must_override_the_setup_context_staticmethod`. Such a function
# also works outside of the transforms, and asks ``ctx.needs_input_grad`` as before.


class Scale(Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x, factor):
        return x * factor

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, factor = inputs
        ctx.save_for_backward(x, factor)

    @staticmethod
    def backward(ctx, gradient):
        x, factor = ctx.saved_tensors
        for_x, for_factor = ctx.needs_input_grad
        return (
            gradient * factor if for_x else None,
            gradient * x if for_factor else None,
        )


x, frozen = torch.ones(2, requires_grad=True), torch.full((2,), 3.0)
Scale.apply(x, frozen).sum().backward()
of_each = torch.func.vmap(torch.func.grad(Scale.apply))(x.detach(), frozen)
print(x.grad, of_each)
assert x.grad.equal(of_each)
assert frozen.grad is None

# %%
# ``backward()`` is not called, and there is no error
# ---------------------------------------------------
# It is called if the function ran through ``apply()``, in grad mode, with an input that
# requires a gradient, and if the loss depends on the output. Print
# ``output.requires_grad``: False means that one of the first three is missing. Data,
# such as the directions of rays, requires no gradient, although nobody froze it. If it
# is computed from something that you want to train, such as a pose, let the pose
# require a gradient, and compute the data from it in each step, without NumPy,
# ``.data`` and ``detach()``.


class Encoding(Function):
    @staticmethod
    def forward(_ctx, x):
        return x * 2

    @staticmethod
    def backward(_ctx, gradient):
        calls.append("backward")
        return gradient * 2


weight, calls, counts = torch.ones(2, requires_grad=True), [], []
for trains in (False, True):  # wrong, right
    pose = torch.ones(2, requires_grad=trains)
    directions = pose * 3
    output = Encoding.apply(directions)
    (output * weight).sum().backward()
    counts.append(len(calls))
    print(output.requires_grad, calls, pose.grad)
assert counts == [0, 1]
assert pose.grad.tolist() == [6, 6]
with torch.no_grad():
    assert not Encoding.apply(pose).requires_grad
Encoding.forward(None, pose).sum().backward()  # without apply()
assert len(calls) == 1

# %%
# NumPy, SciPy or OpenCV in the forward pass: a function with a backward of your own
# ----------------------------------------------------------------------------------
# An array has no graph, so what is computed with it gets no gradient. First look for
# the same in PyTorch: ``torch.fft``, ``torch.linalg``, ``torch.special``,
# ``functional.interpolate``, ``functional.grid_sample``. If there is none, and you know
# the derivative, call the library in the ``forward()`` of a function, and write the
# derivative into its ``backward()``. ``gradcheck``, in ``float64``, tells whether it is
# right. If there is no derivative, as of a metric that counts, it can't be a loss.
import numpy as np


class Sinc(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.as_tensor(np.sinc(x.numpy(force=True)), device=x.device)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        pi_x = np.pi * x
        return gradient * (pi_x.cos() - pi_x.sin() / pi_x) / x


at = torch.tensor([0.3, 1.7], dtype=torch.float64, requires_grad=True)
wrong = torch.as_tensor(np.sinc(at.numpy(force=True)))
print(wrong.requires_grad, Sinc.apply(at).requires_grad)
assert not wrong.requires_grad
assert torch.autograd.gradcheck(Sinc.apply, (at,))

# %%
# gradcheck: ``Jacobian mismatch for output 0 with respect to input 0``
# ---------------------------------------------------------------------
# It compares your ``backward()`` (*analytical*) with finite differences (*numerical*).
# First check the test itself:
#
# - *The input is* ``float32``: the differences are too coarse, and a right function
#   fails. Use ``dtype=torch.float64``.
# - *A kink*: at the 0 of ``relu`` or ``abs``, or with two equal values in ``max``, both
#   are right in their own way. Move the input.
# - *Chance*: dropout or noise must be the same in each call.
# - *Both differ by a factor*: your formula is wrong, or ``gradient`` is not multiplied.
#
# A second derivative is checked by ``gradgradcheck``. ``raise_exception=False`` returns
# False in place of the error.


class Square(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**2

    @staticmethod
    def backward(ctx, gradient):
        return 2 * ctx.saved_tensors[0] * gradient


class ForgetsTwo(Square):
    @staticmethod
    def backward(ctx, gradient):
        return ctx.saved_tensors[0] * gradient


import warnings

values = torch.tensor([0.3, 0.7])
passed = {}
for name, function, dtype in (
    ("float32", Square, torch.float32),
    ("float64", Square, torch.float64),
    ("wrong formula", ForgetsTwo, torch.float64),
):
    at = values.to(dtype).requires_grad_()
    with warnings.catch_warnings():
        # For float32 it also warns.
        warnings.simplefilter("ignore")
        passed[name] = torch.autograd.gradcheck(
            function.apply, (at,), raise_exception=False
        )
    print(f"{name:14}{passed[name]}")
assert list(passed.values()) == [False, True, False]
try:
    torch.autograd.gradcheck(ForgetsTwo.apply, (at,))
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("a wrong formula passed")
print(message.splitlines()[0])
assert message.startswith("Jacobian mismatch for output 0 with respect to input 0")
kink = torch.zeros(2, dtype=torch.float64, requires_grad=True)
assert not torch.autograd.gradcheck(torch.relu, (kink,), raise_exception=False)

# %%
# No error, and no gradient
# -------------------------
# - Only tensors that ``apply()`` gets as arguments of their own are inputs. One in a
#   list, in a dictionary or in an attribute gets no gradient.
# - ``backward()`` of an ``nn.Module`` is never called. Write a function, or a hook:
#   :doc:`hooks_and_custom_functions` has both, for a gradient reversal layer.


class OfList(Function):
    @staticmethod
    def forward(_ctx, tensors):
        return tensors[0] * 2

    @staticmethod
    def backward(_ctx, gradient):
        return gradient * 2


class Reversed(nn.Module):
    def forward(self, x):
        return x * 2

    def backward(self, gradient):
        raise AssertionError("a module's backward was called")


assert not OfList.apply([x]).requires_grad
x.grad = None
Reversed()(x).sum().backward()
print(x.grad)
assert x.grad.tolist() == [2, 2]

# %%
# A mask among the outputs
# ------------------------
# An output in floating point requires a gradient by default, although ``backward()``
# may have none for it. ``mark_non_differentiable`` makes it a constant. An integer
# output needs no mark. If the loss does not use an output, ``backward()`` receives
# zeros for it, and ``None`` after ``ctx.set_materialize_grads(False)``.


class Gate(Function):
    @staticmethod
    def forward(ctx, x, marks, zeros):
        mask = (x > 0).to(x.dtype)
        ctx.save_for_backward(mask)
        ctx.set_materialize_grads(zeros)
        if marks:
            ctx.mark_non_differentiable(mask)
        return x * mask, mask, x.argmax()

    @staticmethod
    def backward(ctx, gradient, of_mask, _of_index):
        received.append(of_mask)
        return gradient * ctx.saved_tensors[0], None, None


received = []
for marks in (False, True):
    y, mask, index = Gate.apply(x, marks, True)
    print(marks, y.requires_grad, mask.requires_grad, index.requires_grad)
    assert mask.requires_grad != marks
    assert not index.requires_grad
    y.sum().backward()
Gate.apply(x, False, False)[0].sum().backward()
print(received)
assert [r is None for r in received] == [False, False, True]

# %%
# Ask ``needs_input_grad``, pass every tensor that trains as an argument, and check the
# function with ``torch.autograd.gradcheck``.
#
# Related: :doc:`hooks_and_custom_functions`, :doc:`hooks_that_fail`,
# :doc:`/reference/errors/one_of_the_differentiated_tensors_does_not_require_grad`.
# Source: :torch:`Extending PyTorch <notes/extending.html>`.
