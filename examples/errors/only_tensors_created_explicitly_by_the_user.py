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
# Which tensor is it? ``ModelEMA(model)``, ``AveragedModel``, a target network
# ----------------------------------------------------------------------------
# You don't call ``deepcopy()``, but a class for an average of the weights does, such as
# ``ModelEMA`` of YOLO, ``ModelEmaV2`` of timm and ``AveragedModel``, and so does the
# target network of BYOL or DQN. It may fail before the first training step: a forward
# pass at the construction, which finds out the strides or the number of features, has
# left an output in an attribute. This finds all of them. Keep what they need with
# ``detach()``, use a local variable in place of ``self.x``, or run that first forward
# pass under ``no_grad()``.


class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear, self.features = torch.nn.Linear(2, 2), {}

    def forward(self, x):
        self.features["last"] = self.linear(x)
        return self.features["last"]


def with_graph(value):
    if isinstance(value, torch.Tensor):
        return value.grad_fn is not None
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, (list, tuple)):
        return False
    return any(map(with_graph, value))


def stored_results(model):
    return [
        f"{name}.{key}"
        for name, module in model.named_modules()
        for key, value in vars(module).items()
        if with_graph(value)
    ]


model = torch.nn.Sequential(torch.nn.Linear(2, 2), Block())
model(x)
found = stored_results(model)
print(found)
try:
    torch.optim.swa_utils.AveragedModel(model)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("a graph was copied")
assert message.startswith("Only Tensors created explicitly by the user")
assert found == ["1.features"]
with torch.no_grad():
    model(x)
assert stored_results(model) == []
torch.optim.swa_utils.AveragedModel(model)

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
