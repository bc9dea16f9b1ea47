"""
``cannot assign … as parameter … (torch.nn.Parameter or None expected)``
========================================================================

The attribute holds a parameter of the module, and a plain tensor was assigned to it. If
a gradient should pass through the tensor, call ``functional_call()``. To set values,
copy them into the parameter.
"""

# %%
import torch

layer, x = torch.nn.Linear(2, 1), torch.ones(1, 2)
scale = torch.ones(2, requires_grad=True)
weight = scale * torch.ones(1, 2)

# Wrong: a result in the place of a parameter
try:
    layer.weight = weight
except TypeError as error:
    print(f"TypeError: {error}")
else:
    raise AssertionError("a result was assigned to a parameter")

# Right: the module uses the result for one call
call = torch.func.functional_call
call(layer, {"weight": weight}, x).sum().backward()
print(scale.grad)
assert scale.grad is not None

# %%
# New values for a parameter
# --------------------------
# Copy them in place, under ``no_grad()``. The parameter stays the same object, so the
# optimizer goes on updating it.
parameter = layer.weight

# Wrong: a tensor of new values
try:
    layer.weight = torch.zeros(1, 2)
except TypeError as error:
    message = str(error)
else:
    raise AssertionError("a tensor was assigned to a parameter")
assert message.endswith("(torch.nn.Parameter or None expected)")

# Right: the values are copied
with torch.no_grad():
    layer.weight.copy_(torch.zeros(1, 2))
print(layer.weight)
assert layer.weight is parameter
assert layer.weight.requires_grad

# %%
# A parameter of another shape
# ----------------------------
# The module accepts ``nn.Parameter(tensor)``. It is a new leaf: no gradient reaches
# what the tensor was computed from, it requires a gradient unless you pass
# ``requires_grad=False``, and an optimizer that was made before doesn't update it.

# Wrong: the optimizer still has the old parameter, and the result is cut off
optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
scale.grad = None
layer.weight = torch.nn.Parameter(scale * torch.ones(3, 2))
layer.bias = torch.nn.Parameter(torch.zeros(3))
old = layer.weight.detach().clone()
layer(x).sum().backward()
optimizer.step()
assert scale.grad is None
assert torch.equal(layer.weight, old)

# Right: a new optimizer
optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
optimizer.step()
print(not torch.equal(layer.weight, old))
assert not torch.equal(layer.weight, old)

# %%
# ``cannot assign module before Module.__init__() call``; ``is not a Module subclass``
# ------------------------------------------------------------------------------------
# ``super().__init__()`` has to come first in ``__init__()`` of your class: it makes the
# lists in which parameters and submodules are registered. For a parameter the text
# begins with ``cannot assign parameters before``. ``is not a Module subclass`` comes if
# a function, a class or a list stands where a layer belongs: ``nn.ReLU()`` instead of
# ``torch.relu`` or ``nn.ReLU``, ``nn.Sequential(*layers)`` with the star instead of
# ``nn.Sequential(layers)``.


class Late(torch.nn.Module):
    def __init__(self):
        self.fc = torch.nn.Linear(2, 1)  # wrong: before super().__init__()
        super().__init__()


class Early(torch.nn.Module):
    def __init__(self):
        super().__init__()  # right
        self.fc = torch.nn.Linear(2, 1)


layers = [torch.nn.Linear(2, 2), torch.nn.ReLU()]
texts = []
for wrong in (
    Late,
    lambda: torch.nn.Sequential(torch.nn.ReLU),
    lambda: torch.nn.Sequential(layers),
):
    try:
        wrong()
    except (AttributeError, TypeError) as error:
        texts.append(str(error))
    else:
        raise AssertionError("a module was made")
print(*texts, sep="\n")
assert texts[0] == "cannot assign module before Module.__init__() call"
assert all(text.endswith("is not a Module subclass") for text in texts[1:])
assert len(list(Early().parameters())) == 2
assert len(torch.nn.Sequential(*layers)) == 2  # right

# %%
# Read on: :doc:`/gallery/freezing/nn_parameter_unfreezes`.
