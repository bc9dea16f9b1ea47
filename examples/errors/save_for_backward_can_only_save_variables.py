"""
``save_for_backward can only save variables, but argument 1 is of type tuple``
==============================================================================

``ctx.save_for_backward()`` takes tensors and ``None``, one by one. Unpack a tuple or a
list of tensors, and keep numbers, shapes, strings and arrays in attributes of ``ctx``.
"""

# %% tags=["hide-input"]
# A function with limits, whose backward pass needs them.
import torch
from torch.autograd import Function


class Clamp(Function):
    @staticmethod
    def backward(ctx, gradient):
        (x,), (low, high) = ctx.saved_tensors, ctx.limits
        return gradient * ((x > low) & (x < high)), None


x = torch.tensor([0.5, 2.0], requires_grad=True)


# %%
class Wrong(Clamp):
    @staticmethod
    def forward(ctx, x, limits):
        ctx.save_for_backward(x, limits)  # a tuple is not a tensor
        return x.clamp(*limits)


class Right(Clamp):
    @staticmethod
    def forward(ctx, x, limits):
        ctx.save_for_backward(x)
        ctx.limits = limits
        return x.clamp(*limits)


for function in (Wrong, Right):
    try:
        function.apply(x, (0, 1)).sum().backward()
    except TypeError as error:
        print(f"TypeError: {error}")
assert x.grad.tolist() == [1, 0]


# %%
# The argument is a tuple or a list of tensors
# --------------------------------------------
# Unpack it with a star, and count the positions from 0: argument 1 is the second one.
# Pass the tensors to ``apply()`` one by one, too, because a tensor inside a tuple or
# list gets no gradient.
class Weighted(Function):
    @staticmethod
    def forward(ctx, x, *weights):
        ctx.save_for_backward(x, *weights)
        return x * sum(weights)

    @staticmethod
    def backward(ctx, gradient):
        x, *weights = ctx.saved_tensors
        return gradient * sum(weights), *[gradient * x for _ in weights]


class Saves(Function):
    @staticmethod
    def forward(ctx, x, value):
        ctx.save_for_backward(x, value)
        return x.clone()

    @staticmethod
    def backward(_ctx, gradient):
        return gradient, None


x, *weights = (torch.ones(2, requires_grad=True) for _ in range(4))
Weighted.apply(x, *weights).sum().backward()
print(x.grad, weights[0].grad)
assert x.grad.tolist() == [3, 3]
assert all(weight.grad.tolist() == [1, 1] for weight in weights)

refused = {}
for value in ((x, x), [x], 3, "a", x.shape, x.detach().numpy(), x.detach(), None):
    try:
        Saves.apply(x, value)
    except TypeError as error:
        refused[type(value).__name__] = str(error).rpartition("type ")[2]
print(*refused.values())
assert list(refused) == ["tuple", "list", "int", "str", "Size", "ndarray"]

# %%
# ``CheckpointFunction.apply(function, preserve, *args)``
# -------------------------------------------------------
# Then you have not called ``save_for_backward()``; activation checkpointing has. Old
# versions of ``torch.utils.checkpoint`` saved every argument, and a tuple or a number
# raised this error. PyTorch has `fixed that in 2021
# <https://github.com/pytorch/pytorch/issues/63394>`__: upgrade, or pass the tensors and
# let a ``lambda`` hold the rest. Newer versions of PyTorch accept a tuple, but a
# reentrant checkpoint does not look into it for tensors that require a gradient. Pass
# ``use_reentrant=False``.
import warnings

from torch.utils.checkpoint import checkpoint

data, position = torch.ones(2), (torch.ones(2, requires_grad=True), 0.5)


def layer(x, position):
    return x * position[0] + position[1]


for reentrant in (True, False):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        output = checkpoint(layer, data, position, use_reentrant=reentrant)
    print(reentrant, output.requires_grad)
    assert output.requires_grad != reentrant
# For old versions: only tensors are arguments.
shift = position[1]
output = checkpoint(
    lambda x, weight: layer(x, (weight, shift)), data, position[0], use_reentrant=False
)
output.sum().backward()
assert position[0].grad.tolist() == [1, 1]

# %%
# ``Some elements marked as dirty during the forward method were not returned``
# -----------------------------------------------------------------------------
# ``ctx.mark_dirty(x)`` says that ``forward()`` has changed ``x`` in place. Then ``x``
# itself has to be an output, not a copy of it. A leaf that requires a gradient can't be
# changed so: pass ``x.clone()`` to ``apply()``. Without ``mark_dirty()`` nothing is
# raised, and what uses ``x`` afterwards, not the output, gets a wrong gradient: below,
# 1 and not 2. It is simpler to change nothing in place.


class Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, is_right, is_marked):
        if is_marked:
            ctx.mark_dirty(x)
        x.mul_(2)
        # Wrong: a copy. Right: x itself.
        return x if is_right else x.clone()

    @staticmethod
    def backward(_ctx, gradient):
        return 2 * gradient, None, None


leaf = torch.ones(2, requires_grad=True)
texts = []
for is_right, argument in ((False, leaf.clone()), (True, leaf)):
    try:
        Double.apply(argument, is_right, True)
    except RuntimeError as error:
        texts.append(str(error))
    else:
        raise AssertionError("it was changed in place")
print(*texts, sep="\n")
assert texts[0].startswith("Some elements marked as dirty during the forward method")
assert texts[1].startswith("a leaf Variable that requires grad")
found = []
for is_marked in (False, True):
    x, leaf.grad = leaf.clone(), None
    Double.apply(x, True, is_marked)
    x.sum().backward()
    found.append(leaf.grad.tolist())
print(found)
assert found == [[1, 1], [2, 2]]

# %%
# Read on: :doc:`/gallery/modes/custom_functions_that_fail`,
# :doc:`/gallery/beyond/checkpointing_frozen_layers`.
