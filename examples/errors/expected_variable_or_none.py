"""
``expected Variable or None (got float)``
=========================================

The ``backward()`` of a custom function returned a number, an array or a list. Return a
tensor in the shape of the input: the gradient that came in, times the derivative. For
several inputs return a tuple, with ``None`` for an input that needs no gradient.
"""

# %%
import torch


class Triple(torch.autograd.Function):
    @staticmethod
    def forward(_ctx, x):
        return 3 * x

    @staticmethod
    def backward(_ctx, gradient):
        # Right: a tensor, by the chain rule. Wrong: the derivative alone.
        return 3.0 * gradient if is_right else 3.0


x = torch.ones(2, requires_grad=True)
for is_right in (False, True):
    try:
        Triple.apply(x).sum().backward()
    except RuntimeError as error:
        print(f"RuntimeError: {error}")
    assert (x.grad is not None) == is_right
print(x.grad)
assert x.grad.tolist() == [3, 3]

# %%
# Other types
# -----------
# The last word of the error is the type of the value:
#
# - ``list``: a list is not a tuple. Leave the brackets out.
# - ``tuple``: there is a tuple in the tuple.
# - ``numpy.ndarray``: convert with ``torch.from_numpy()``.
# - ``float`` also comes from ``.item()``, and for a frozen tensor, whose gradient is
#   not needed. Return ``None`` there.


class Product(torch.autograd.Function):
    @staticmethod
    def forward(_ctx, x, factor):
        return factor * x

    @staticmethod
    def backward(_ctx, _gradient):
        return Product.values


three = torch.full((2,), 3.0)
wrong = {
    "list": ([three], None),
    "tuple": ((three,), None),
    "numpy.ndarray": (three.numpy(), None),
    "float": (three, 0.0),
}
for name, Product.values in wrong.items():
    x.grad = None
    try:
        Product.apply(x, three).sum().backward()
    except RuntimeError as error:
        message = f"{type(error).__name__}: {error}"
    else:
        raise AssertionError(f"{name} was accepted")
    print(message)
    assert message == f"RuntimeError: expected Variable or None (got {name})"
    assert x.grad is None
for Product.values in ((three, None), (torch.from_numpy(three.numpy()), None)):
    x.grad = None
    Product.apply(x, three).sum().backward()
    assert x.grad.tolist() == [3, 3]

# %%
# A similar text, another error
# -----------------------------
# - With several inputs, a list of all gradients counts as one value:
#   :doc:`returned_an_incorrect_number_of_gradients`.
# - A tensor with one element is not expanded:
#   :doc:`returned_an_invalid_gradient_at_index`.
# - A hook that returns a number raises ``expected Variable, but hook returned``.
caught = []
for Product.values in ([three, None], (torch.tensor(3.0), None)):
    try:
        Product.apply(x, three).sum().backward()
    except RuntimeError as error:
        caught.append(str(error))
hooked = x * 3
hooked.register_hook(lambda _gradient: 3.0)
try:
    hooked.sum().backward()
except TypeError as error:
    caught.append(str(error))
assert "returned an incorrect number of gradients (expected 2, got 1)" in caught[0]
assert "returned an invalid gradient at index 0" in caught[1]
assert caught[2] == "expected Variable, but hook returned 'float'"

# %%
# Read on: :doc:`/gallery/modes/custom_functions_that_fail`.
