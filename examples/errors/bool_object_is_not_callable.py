"""
``'bool' object is not callable``
=================================

``requires_grad`` is an attribute, and brackets after it call its value, True or False.
To freeze a parameter, call ``requires_grad_(False)``, with an underscore. To see if
it is frozen, read ``requires_grad`` without brackets.
"""

# %%
import torch

layer = torch.nn.Linear(2, 1)
try:
    # Wrong: calls the value of an attribute.
    layer.weight.requires_grad(False)
except TypeError as error:
    print(f"TypeError: {error}")
else:
    raise AssertionError("a bool was called")
# Right: the name of the method ends in an underscore.
layer.weight.requires_grad_(False)
print(layer.weight.requires_grad)
assert not layer.weight.requires_grad

# %%
# ``layer.requires_grad(False)`` on a module raises ``AttributeError`` instead: a module
# has the method ``requires_grad_()``, and no attribute ``requires_grad``. Assigning one
# raises nothing and freezes nothing.
assert not hasattr(layer, "requires_grad")
layer.requires_grad = False
assert layer.bias.requires_grad

# %%
# The call is spelt right
# -----------------------
# Then a bool was assigned to ``requires_grad_``. This raises nothing and freezes
# nothing, and it hides the method of that parameter or module. Delete the attribute.

# Wrong: assigns to the name of the method.
layer.bias.requires_grad_ = False
assert layer.bias.requires_grad
try:
    layer.requires_grad_(False)
except TypeError as error:
    message = str(error)
else:
    raise AssertionError("a bool was called")
assert message == "'bool' object is not callable"
# Right: deletes the attribute, and calls the method.
del layer.bias.requires_grad_
layer.requires_grad_(False)
print(layer.bias.requires_grad)
assert not layer.bias.requires_grad

# %%
# Attributes and methods that are easily confused
# -----------------------------------------------
# ``requires_grad``, ``is_leaf``, ``is_cuda`` and ``training`` are attributes.
# ``is_inference()``, ``is_floating_point()`` and ``torch.is_grad_enabled()`` need their
# brackets: a condition without them is true whatever the answer is.
x = torch.ones(2)
for value in (x.requires_grad, x.is_leaf, x.is_cuda, layer.training):
    assert isinstance(value, bool)
for method in (x.is_inference, x.is_floating_point, torch.is_grad_enabled):
    assert bool(method) is True
print(bool(x.is_inference), x.is_inference())
assert not x.is_inference()

# %%
# Read on: :doc:`/gallery/freezing/silent_typos`.
