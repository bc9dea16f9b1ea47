"""
``AttributeError: Net has no attribute``
========================================

``get_submodule()``, ``get_parameter()`` or ``get_buffer()`` found nothing of the name
that follows, in a module of the class ``Net``. Print the names that exist, and use one
of them.
"""

# %%
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(2, 1)


model = Net()

# Wrong: no layer has this name
try:
    model.get_submodule("fc")
except AttributeError as error:
    print(f"AttributeError: {error}")
else:
    raise AssertionError("a layer was found")

# Right: a name from the list
print([name for name, _ in model.named_modules()])
model.get_submodule("head").requires_grad_(False)
assert not model.head.weight.requires_grad

# %%
# The class in the message is that of the innermost module that was found: here the
# layer ``head`` exists, and its parameter ``scale`` doesn't.
try:
    model.get_parameter("head.scale")
except AttributeError as error:
    print(error)
else:
    raise AssertionError("a parameter was found")
print([name for name, _ in model.named_parameters()])
assert model.get_parameter("head.bias") is model.head.bias

# %%
# Wrappers
# --------
# ``DataParallel``, ``DistributedDataParallel`` and ``AveragedModel`` hold the model in
# an attribute, so each name begins with ``module.``. A compiled model lists the names
# with ``_orig_mod.`` before them, and finds them with it and without it.
for wrap in (nn.DataParallel, torch.optim.swa_utils.AveragedModel):
    wrapped = wrap(model)

    # Wrong: the name in the model
    try:
        wrapped.get_submodule("head")
    except AttributeError as error:
        message = str(error)
    else:
        raise AssertionError("a layer of the wrapped model was found")
    assert message == f"{wrap.__name__} has no attribute `head`"

    # Right: the name in the wrapper, or the model itself
    head = wrapped.get_submodule("module.head")
    assert wrapped.module.get_submodule("head") is head

compiled = torch.compile(model, backend="eager")
print([name for name, _ in compiled.named_modules()])
assert compiled.get_submodule("head") is model.head
assert compiled.get_submodule("_orig_mod.head") is model.head

# %%
# Read on: :doc:`/gallery/freezing/freeze_by_name`.
