"""
``returned an incorrect number of gradients``
=============================================

The ``backward()`` of a custom function has to return one value for each argument of
``forward()`` behind ``ctx``, in their order. Return ``None`` for an argument without a
gradient, such as a number. ``expected`` counts the arguments, ``got`` the values.
"""

# %%
import torch


class Scale(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, factor):
        ctx.factor = factor
        return x * factor

    @staticmethod
    def backward(ctx, gradient):
        # Right: None for the factor. Wrong: nothing for it.
        for_x = gradient * ctx.factor
        return (for_x, None) if is_right else for_x


x = torch.ones(2, requires_grad=True)
for is_right in (False, True):
    try:
        Scale.apply(x, 3).sum().backward()
    except RuntimeError as error:
        print(f"RuntimeError: {error}")
    assert (x.grad is not None) == is_right
print(x.grad)
assert x.grad.tolist() == [3, 3]

# %%
# What is counted
# ---------------
# - Frozen tensors, numbers and flags count, and so does a default value that is passed.
#   ``None`` values at the end that are too many are dropped, so return one for each
#   optional argument.
# - A list or dictionary counts as one argument, and its tensors get no gradient. Pass
#   them one by one, with ``*tensors``.
# - A list that is returned counts as one value. Return a tuple.
# - Without ``return``, ``backward()`` returns one ``None``. Only for a single argument
#   this raises nothing, and there is no gradient.
# - The number of outputs does not matter. It is the number of gradients that
#   ``backward()`` receives.


class Sum(torch.autograd.Function):
    @staticmethod
    def forward(_ctx, x, *_others):
        return x * 1, x * 2

    @staticmethod
    def backward(ctx, first, second):
        gradient = first + 2 * second
        return Sum.values(gradient, len(ctx.needs_input_grad))


def result(*others):
    x.grad = None
    try:
        sum(Sum.apply(x, *others)).sum().backward()
    except RuntimeError as error:
        return str(error).removeprefix(start)
    return x.grad if x.grad is None else x.grad.tolist()


start = "function SumBackward returned an incorrect number of gradients "
frozen = torch.ones(2)
results = {}
for name, Sum.values in {
    "gradient": lambda gradient, _: gradient,
    "gradient, None": lambda gradient, _: (gradient, None),
    "[gradient, None]": lambda gradient, _: [gradient, None],
    "None": lambda _gradient, _: None,
    "len(needs_input_grad)": lambda gradient, n: (gradient, *[None] * (n - 1)),
}.items():
    results[name] = [result(), result(frozen), result([frozen, 3], 3)]
    print(name, *results[name], sep=" | ")
too_few = ["(expected 2, got 1)", "(expected 3, got 1)"]
assert results["gradient"] == [[3, 3], *too_few]
assert results["gradient, None"] == [[3, 3], [3, 3], "(expected 3, got 2)"]
assert results["[gradient, None]"] == ["expected Variable or None (got list)", *too_few]
assert results["None"] == [None, *too_few]
assert results["len(needs_input_grad)"] == [[3, 3]] * 3

# %%
# ``returned a gradient different than None at position 2``
# ---------------------------------------------------------
# The text goes on ``but the corresponding forward input was not a Variable``. The
# number of values is right now, and a gradient stands in the place of an argument that
# is no tensor, such as a function, a number or a flag. The position counts from 1.
# Don't drop or add a ``None`` at the front until the number fits, which moves all
# gradients by one place. Write the arguments of ``forward()`` behind ``ctx`` in a line,
# and below each one its value: for ``forward(ctx, run_function, length, *args)`` of a
# checkpoint function this is ``return (None, None, *input_grads)``.
#
# ``None`` for a tensor that trains raises nothing, and this tensor gets no gradient.
# ``gradcheck`` finds it.


class Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, factor):
        ctx.save_for_backward(x)
        return x * factor

    @staticmethod
    def backward(ctx, gradient):
        return None, gradient * ctx.saved_tensors[0]


try:
    Product.apply(x, 3).sum().backward()
except RuntimeError as error:
    message = str(error)
assert "a gradient different than None at position 2" in message
a, b = (torch.full((2,), 3.0, dtype=torch.float64, requires_grad=True) for _ in "ab")
Product.apply(a, b).sum().backward()
correct = torch.autograd.gradcheck(Product.apply, (a, b), raise_exception=False)
print(a.grad, b.grad.tolist(), correct)
assert a.grad is None
assert not correct

# %%
# The text was the same in 2017 (quoted from `pytorch-image-comp-rnn 4
# <https://github.com/1zb/pytorch-image-comp-rnn/issues/4>`__, not run). In `AdderNet 21
# <https://github.com/huawei-noah/AdderNet/issues/21>`__ the ``return`` was missing
# (reported there, not run).
#
# Related: :doc:`returned_an_invalid_gradient_at_index`. Read on:
# :doc:`/gallery/modes/custom_functions_that_fail`.
