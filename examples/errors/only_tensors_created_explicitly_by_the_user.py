"""
``Only Tensors created explicitly by the user (graph leaves) support the deepcopy``
===================================================================================

The object that you copy contains a result with a graph, often an output that a module
has stored. ``deepcopy()`` does not copy graphs. Call ``detach()`` on the output before
you store it.
"""

# %%
import copy

import torch

layer, x = torch.nn.Linear(2, 1), torch.ones(1, 2)

# Wrong: stores an output with its graph
layer.output = layer(x)
try:
    copy.deepcopy(layer)
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("a graph was copied")

# Right: stores the values
layer.output = layer(x).detach()
print(torch.equal(copy.deepcopy(layer).output, layer.output))
assert torch.equal(copy.deepcopy(layer).output, layer.output)

# %%
# Normalised and pruned weights
# -----------------------------
# ``torch.nn.utils.weight_norm()``, ``spectral_norm()`` and ``prune`` store the computed
# weight, a result, in the module. For the two norms, ``parametrizations`` has versions
# that can be copied. A pruned module can be copied after ``prune.remove()``.
import warnings

from torch.nn.utils import parametrizations, prune

with warnings.catch_warnings(action="ignore", category=FutureWarning):
    norm = torch.nn.utils.weight_norm(torch.nn.Linear(2, 1))
    spectral = torch.nn.utils.spectral_norm(torch.nn.Linear(2, 1))
pruned = prune.l1_unstructured(torch.nn.Linear(2, 1), "weight", amount=1)

# Wrong: the weight is a result
for module in (norm, spectral, pruned):
    module(x)
    try:
        copy.deepcopy(module)
    except RuntimeError as error:
        message = str(error)
    else:
        raise AssertionError("a graph was copied")
    assert message.startswith("Only Tensors created explicitly by the user")

# Right: the weight is a parametrization, or a parameter again
norm = parametrizations.weight_norm(torch.nn.Linear(2, 1))
spectral = parametrizations.spectral_norm(torch.nn.Linear(2, 1))
prune.remove(pruned, "weight")
for module in (norm, spectral, pruned):
    module(x)
    print(torch.equal(copy.deepcopy(module).weight, module.weight))

# %%
# Copying a result itself
# -----------------------
# ``clone()`` gives a copy that stays in the graph, ``detach().clone()`` one without a
# graph. A result that requires no gradient has no graph and can be deep-copied.
result = layer(x)

# Wrong: a result with a graph
try:
    copy.deepcopy(result)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("a graph was copied")
assert message.startswith("Only Tensors created explicitly by the user")

# Right: with and without the graph
print(result.clone().requires_grad, result.detach().clone().requires_grad)
assert result.clone().requires_grad
assert not result.detach().clone().requires_grad
assert not copy.deepcopy(result.detach() * 2).requires_grad

# %%
# In PyTorch 1.3 the message ended with ``support the deepcopy protocol at the moment``
# (quoted from an `issue <https://github.com/pytorch/pytorch/issues/28594>`__, not run).
#
# Read on: :doc:`/gallery/beyond/saving_and_copying`.
