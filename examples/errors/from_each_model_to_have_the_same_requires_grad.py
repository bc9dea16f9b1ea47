"""
``Expected weight from each model to have the same .requires_grad``
===================================================================

``stack_module_state`` makes one tensor of the ``weight`` of all models, and a tensor
has one ``requires_grad``. Freeze the parameter in all models or in none.
"""

# %%
import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

torch.manual_seed(0)
models = [nn.Linear(2, 1) for _ in range(3)]
# Wrong: one of the models is frozen.
models[0].requires_grad_(False)
try:
    stack_module_state(models)
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("a frozen model and others were stacked")
# Right: the weight is frozen in all models, the bias in none.
for model in models:
    model.weight.requires_grad_(False)
    model.bias.requires_grad_(True)
stacked, buffers = stack_module_state(models)
print({name: p.requires_grad for name, p in stacked.items()})
assert not stacked["weight"].requires_grad
assert stacked["bias"].requires_grad

# %%
# Find all that differ
# --------------------
# The error names the first parameter only, by its full name, such as ``0.weight``.
deep = [nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1)) for _ in range(3)]
deep[1][0].requires_grad_(False)
deep[2][1].bias.requires_grad_(False)
try:
    stack_module_state(deep)
except RuntimeError as error:
    print(f"RuntimeError: {error}")
differ = {}
for named in zip(*(model.named_parameters() for model in deep), strict=True):
    frozen = [i for i, (_, p) in enumerate(named) if not p.requires_grad]
    if 0 < len(frozen) < len(deep):
        differ[named[0][0]] = frozen
print(differ)
assert differ == {"0.weight": [1], "0.bias": [1], "1.bias": [2]}


# %%
# Freeze one model of the stack
# -----------------------------
# Stack all models trainable, and multiply the gradient by 0 for the frozen one. Zero is
# not ``None``: weight decay still changes its parameters, so set it to 0. If you need
# weight decay, or if a gradient can be infinite, which 0 makes NaN, stack the models
# that train without the frozen ones.
def predict(parameters, buffers):
    return functional_call(models[0], (parameters, buffers), torch.ones(1, 2))


def changed(group, decay):
    """Return which of the stacked models a step changes."""
    stacked, buffers = stack_module_state(group)
    if len(group) == len(models):
        for p in stacked.values():
            p.register_hook(lambda g: g * trains.view(-1, *[1] * (g.dim() - 1)))
    optimizer = torch.optim.AdamW(stacked.values(), lr=0.1, weight_decay=decay)
    before = stacked["weight"].detach().clone()
    vmap(predict)(stacked, buffers).sum().backward()
    optimizer.step()
    return (stacked["weight"] != before).flatten(1).any(1).tolist()


trains = torch.tensor([0.0, 1.0, 1.0])
for model in models:
    model.requires_grad_(True)
for group, decay in ((models, 0), (models, 0.1), (models[1:], 0.1)):
    print(len(group), decay, changed(group, decay))
assert changed(models, 0) == [False, True, True]
assert changed(models, 0.1) == [True, True, True]
assert (torch.tensor(torch.inf) * trains[0]).isnan()

# %%
# Where it ends
# -------------
# - The stacked tensors are new. To freeze later, freeze them: the models no longer
#   matter.
# - The names come from the first model. A parameter that it does not have is left out
#   without an error.
# - Models in ``train()`` and others in ``eval()`` raise an error of their own.
stacked, buffers = stack_module_state(models)
for model in models:
    model.requires_grad_(False)
assert stacked["weight"].requires_grad
stacked["weight"].requires_grad_(False)
vmap(predict)(stacked, buffers).sum().backward()
assert stacked["weight"].grad is None
assert stacked["bias"].grad is not None

models[0] = nn.Linear(2, 1, bias=False).requires_grad_(False)
assert list(stack_module_state(models)[0]) == ["weight"]
models[0].eval()
try:
    stack_module_state(models)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("models in two modes were stacked")
assert "the same training/eval mode" in message

# %%
# Read on: :doc:`/gallery/beyond/func_and_functional_call`.
