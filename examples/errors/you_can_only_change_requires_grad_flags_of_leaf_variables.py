"""
``you can only change requires_grad flags of leaf variables``
=============================================================

A recorded operation computed this tensor, so its ``requires_grad`` is True and
can't be set. Use ``result.detach()``, or freeze the parameters before the forward pass.
"""

# %%
import torch

layer, x = torch.nn.Linear(2, 1), torch.ones(1, 2)
result = layer(x)
# Wrong: the result was computed from parameters that train.
try:
    result.requires_grad = False
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("the result was a leaf")
# Right: detach() returns a tensor without a graph.
constant = result.detach()
print(constant.requires_grad)
assert not constant.requires_grad

# %%
# Or freeze the layer before the forward pass.
layer.requires_grad_(False)
frozen = layer(x)
print(frozen.requires_grad)
assert not frozen.requires_grad
layer.requires_grad_(True)

# %%
# The message is short
# --------------------
# It comes from ``result.requires_grad = True``, although ``requires_grad`` is already
# True. To read the gradient of the result, call ``retain_grad()``. The method
# ``requires_grad_()`` raises nothing here and changes nothing.
result = layer(x)
# Wrong: requires_grad of a result is set.
try:
    result.requires_grad = True
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("the result was a leaf")
assert result.requires_grad_() is result
# Right: the result keeps its gradient.
result.retain_grad()
result.sum().backward()
print(result.grad)
assert result.grad == 1

# %%
# A weight that is computed
# -------------------------
# A slice of a parameter, taken while autograd records, is a result. So is the weight of
# a parametrized layer: freeze ``original``. The rows of a parameter can't be frozen one
# by one with ``requires_grad``: split it into two parameters.
from torch.nn.utils import parametrizations

layer = parametrizations.spectral_norm(torch.nn.Linear(3, 2))
# Wrong: the weight is computed from another parameter, and the row from the weight.
for tensor in (layer.weight, layer.weight[0]):
    try:
        tensor.requires_grad_(False)
    except RuntimeError as error:
        print(f"RuntimeError: {error}")
    else:
        raise AssertionError("the weight was a leaf")
# Right: the parameter that the weight is computed from.
layer.parametrizations.weight.original.requires_grad_(False)
print(layer.weight.requires_grad)
assert not layer.weight.requires_grad

# %%
# The model is wrapped in FSDP: ``module.weight`` is a view of the flat parameter
# -------------------------------------------------------------------------------
# ``module.weight.requires_grad = False`` fails, although the class of the layer makes
# a parameter: FSDP1 puts all parameters of a unit into one flat parameter, and
# ``weight`` becomes a view of it. So does fairscale's FSDP (not run). Print
# ``type(module.weight)`` and ``module.weight.is_leaf`` in the line in front of the
# error.
#
# - Freeze before you wrap. In one unit, all parameters then need the same
#   ``requires_grad``: wrap what is frozen in a unit of its own.
# - Or pass ``use_orig_params=True`` (PyTorch 2 and newer): ``weight`` is a parameter
#   again, except during the forward, where it is a view here, too.
# - With FSDP2, ``fully_shard()``, each parameter stays a parameter.
# - ``detach()``, as the message says, gives another tensor, and freezes no layer.
#
# Units, and which order: :doc:`/gallery/beyond/freezing_under_fsdp`. Here is such a
# view by hand; FSDP1 in one process gives the same.
layer = torch.nn.Linear(3, 2)
flat = torch.nn.Parameter(torch.cat([p.detach().flatten() for p in layer.parameters()]))
del layer.weight, layer.bias
layer.flat, layer.weight, layer.bias = flat, flat[:6].view(2, 3), flat[6:]
try:
    # Wrong: after wrapping, for one layer of the unit.
    layer.weight.requires_grad = False
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("the view was a leaf")
assert message.startswith("you can only change requires_grad flags of leaf variables")
print(type(layer.weight).__name__, layer.weight.is_leaf)
assert not isinstance(layer.weight, torch.nn.Parameter)
assert [name for name, _ in layer.named_parameters()] == ["flat"]
# Right: before wrapping, for all of the unit.
layer = torch.nn.Linear(3, 2).requires_grad_(False)
assert all(p.is_leaf and not p.requires_grad for p in layer.parameters())

# %%
# ``module.requires_grad_(False)`` raises it
# ------------------------------------------
# Then a parameter of the module has become a result: a frozen parameter was multiplied
# in place, for example, by a tensor that requires a gradient. Find it with ``is_leaf``,
# and put a new parameter in its place. If you want to change the value and keep no
# graph, write under ``no_grad()``.
scale = torch.ones(1, requires_grad=True)
net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 1))
net[0].weight.requires_grad_(False)
# Wrong: the change is recorded.
net[0].weight.mul_(scale)
try:
    net.requires_grad_(False)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("each parameter was a leaf")
assert message.startswith("you can only change requires_grad flags of leaf variables")
results = [name for name, p in net.named_parameters() if not p.is_leaf]
print(results)
assert results == ["0.weight"]
# Right: a new parameter, and a change that is not recorded.
net[0].weight = torch.nn.Parameter(net[0].weight.detach())
net.requires_grad_(False)
with torch.no_grad():
    net[0].weight.mul_(scale)
print([p.requires_grad for p in net.parameters()])
assert all(p.is_leaf and not p.requires_grad for p in net.parameters())

# %%
# Read on: :doc:`/gallery/graph/leaf_or_not`.
