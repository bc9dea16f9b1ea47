"""
``'type' object does not support the context manager protocol``
===============================================================

``torch.no_grad`` without brackets is a class, and ``with`` needs an object of it. Write
``with torch.no_grad():``.
"""

# %%
import torch

x = torch.ones(1, requires_grad=True)

# Wrong: without brackets
try:
    with torch.no_grad:
        y = x * 2
except TypeError as error:
    print(f"TypeError: {error}")
else:
    raise AssertionError("a class was a context manager")

# Right: with brackets
with torch.no_grad():
    y = x * 2
print(y.requires_grad)
assert not y.requires_grad

# %%
# The same holds for ``torch.enable_grad``, ``torch.inference_mode``,
# ``torch.set_grad_enabled`` and ``torch.autocast``.
for mode in (
    torch.enable_grad,
    torch.inference_mode,
    torch.set_grad_enabled,
    torch.autocast,
):
    try:
        with mode:
            pass
    except TypeError as error:
        message = str(error)
    else:
        raise AssertionError("a class was a context manager")
    assert message.startswith("'type' object does not support")

# %%
# 'function' object does not support the context manager protocol
# ---------------------------------------------------------------
# ``no_grad(argument)`` decorates its argument and returns a function. To switch by a
# condition, use ``set_grad_enabled()``.
training = False

# Wrong: no_grad() takes no condition
try:
    with torch.no_grad(not training):
        y = x * 2
except TypeError as error:
    print(f"TypeError: {error}")
else:
    raise AssertionError("a function was a context manager")

# Right: records only in training
with torch.set_grad_enabled(training):
    y = x * 2
print(y.requires_grad)
assert not y.requires_grad

# %%
# Before Python 3.11, the same mistake gave another class, ``AttributeError:
# __enter__`` (`What's new in Python 3.11
# <https://docs.python.org/3/whatsnew/3.11.html#other-language-changes>`__).
#
# Read on: :doc:`/gallery/modes/no_grad_inference_mode_enable_grad`.
