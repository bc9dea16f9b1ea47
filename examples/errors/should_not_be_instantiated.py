"""
``should not be instantiated``
==============================

An object of a custom function is created. All methods of such a class are static: call
``Name.apply(x)``, without an object. If a module needs the function, store
``Name.apply`` in it.
"""

# %%
import torch


class Double(torch.autograd.Function):
    @staticmethod
    def forward(_ctx, value):
        return 2 * value

    # The derivative of doubling is doubling.
    backward = forward


x = torch.ones(2, requires_grad=True)
# Wrong: an object, even if its apply() works.
Double().apply(x).sum().backward()
print(x.grad)
# Right: the class.
double = Double.apply
double(x).sum().backward()
print(x.grad)
assert x.grad.tolist() == [4, 4]

# %%
# What is behind the warning
# --------------------------
# - The object knows nothing of the call. Options that its ``__init__`` stores are not
#   on ``ctx``: :doc:`legacy_autograd_function` shows how to pass them.
# - A module that holds the object can't be pickled, or copied with ``copy.deepcopy``.
#   One that holds ``Name.apply`` can.
# - Calling the object, ``Name()(x)``, is an error.
import copy
import pickle
import warnings


class Scale(torch.autograd.Function):
    def __init__(self, factor):
        self.factor = factor

    @staticmethod
    def forward(ctx, x):
        return ctx.factor * x


class Module(torch.nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    scale = Scale(3.0)
    instance = Double()
messages = []
for call in (
    lambda: scale.apply(x),
    lambda: copy.deepcopy(Module(instance)),
    lambda: pickle.dumps(Module(instance)),
    lambda: instance(x),
):
    try:
        call()
    except (AttributeError, TypeError, RuntimeError) as error:
        messages.append(str(error))
print(*messages[:2], sep="\n")
assert messages[0] == "'ScaleBackward' object has no attribute 'factor'"
assert messages[1] == messages[2] == "cannot pickle 'Double' object"
assert messages[3].startswith("Legacy autograd function with non-static forward")
assert copy.deepcopy(Module(Double.apply))(x).tolist() == [2, 2]
assert pickle.dumps(Module(Double.apply))

# %%
# Where it is not shown
# ---------------------
# ``Scale`` gave no warning, because its ``__init__`` does not call that of its base
# class. And Python shows a ``DeprecationWarning`` only for code of the script that
# runs, unless a `filter
# <https://docs.python.org/3/library/warnings.html#default-warning-filter>`__ says
# otherwise: an imported module is silent. If the filter is ``error``, no object is
# created.
(warned,) = caught
assert "Double" in str(warned.message)
assert warned.category is DeprecationWarning
message = None
with warnings.catch_warnings():
    warnings.simplefilter("error")
    try:
        Double()
    except DeprecationWarning as warning:
        message = str(warning)
assert message == str(warned.message)

# %%
# With PyTorch 2.7, reading all attributes of such an object crashed the process
# (`pytorch 154981 <https://github.com/pytorch/pytorch/issues/154981>`__, reported
# there, not run).
#
# Read on: :doc:`/gallery/modes/custom_functions_that_fail`.
