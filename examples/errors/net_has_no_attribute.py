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
# ``'DistributedDataParallel' object has no attribute 'config'``, ``'compute_loss'``
# ----------------------------------------------------------------------------------
# It works on one GPU and fails on several: there, ``accelerator.prepare()`` or a
# trainer has put the model into DDP. Of your class, it hands on ``forward()`` only.
# Layers (``text_encoder.text_model``), the configuration (``unet.config``) and methods
# (``generate``, ``compute_loss``, ``save_pretrained``) belong to the model in it:
# ``wrapped.module``. With Accelerate, write ``accelerator.unwrap_model(unet).config``,
# which works on one GPU, too.
#
# - *To read or to save,* take the model in the wrapper.
# - *To train, call the wrapper.* ``wrapped.module.compute_loss(x).backward()`` runs,
#   but DDP sends nothing, and each GPU trains a model of its own
#   (:doc:`/gallery/beyond/two_backward_passes_under_ddp`). Compute the loss in
#   ``forward()``, or let ``compute_loss(wrapped, x)`` call the wrapper.
# - *A frozen network,* such as a text encoder or a VAE, needs no DDP: leave it out of
#   ``prepare()``, and move it with ``.to(accelerator.device)``
#   (:doc:`/gallery/frameworks/frozen_second_network`).
#
# How often does DDP send gradients in each case?
import torch.distributed as dist
from torch.distributed.algorithms.ddp_comm_hooks import default_hooks
from torch.nn.parallel import DistributedDataParallel


class Unet(Net):
    config = "the configuration"

    def forward(self, x):
        return self.head(x).square().mean()

    def compute_loss(self, x):
        return self(x)


sent = []


def count(group, bucket):
    sent.append(bucket.index())
    return default_hooks.allreduce_hook(group, bucket)


store, x = dist.HashStore(), torch.ones(1, 2)
dist.init_process_group("gloo", store=store, rank=0, world_size=1)
unet = DistributedDataParallel(Unet())
unet.register_comm_hook(None, count)
for name in ("config", "head", "compute_loss"):
    try:
        getattr(unet, name)
    except AttributeError as error:
        print(error)
    else:
        raise AssertionError(f"{name} was found")
    assert hasattr(unet.module, name)
# Wrong: past the wrapper. Right: the loss is computed in forward().
numbers = []
for loss_of in (unet.module.compute_loss, unet):
    loss_of(x).backward()
    numbers.append(len(sent))
print(numbers)
assert numbers == [0, 1]
dist.destroy_process_group()

# %%
# ``object has no attribute 'classifier'``; ``'Linear' object is not subscriptable``
# ----------------------------------------------------------------------------------
# ``'ResNet' object has no attribute 'classifier'`` and ``'VGG' object has no attribute
# 'fc'`` are the same: the last layer has another name in each model. ``print(model)``
# shows it, and :doc:`/gallery/freezing/freeze_a_backbone` has a list. Whether an index
# belongs behind it depends on the model, too: ``classifier[6]`` in VGG, ``classifier``
# alone in DenseNet, where an index raises ``'Linear' object is not subscriptable``. And
# ``in_features`` is an attribute of the layer, not of a ``Sequential`` around it.
# Assigning is more dangerous than reading: ``model.classifier = ...`` on a ResNet
# raises nothing, and the new layer is never called.
sequence = nn.Sequential(nn.Dropout(), nn.Linear(2, 1))
wrong = {
    "model.classifier": lambda: model.classifier,
    "model.head[1]": lambda: model.head[1],
    "sequence.in_features": lambda: sequence.in_features,
    "DataParallel(model).head": lambda: nn.DataParallel(model).head,
}
texts = {}
for code, read in wrong.items():
    try:
        read()
    except (AttributeError, TypeError) as error:
        texts[code] = str(error)
    else:
        raise AssertionError(f"{code} was found")
    print(f"{code:26}{texts[code]}")
assert texts["model.head[1]"] == "'Linear' object is not subscriptable"
# Right: the name in this model, the layer in the sequence, the model in the wrapper.
assert model.head.in_features == sequence[1].in_features == 2
assert nn.DataParallel(model).module.head is model.head

# %%
# ``'generator' object is not subscriptable``, ``'method' object is not iterable``
# --------------------------------------------------------------------------------
# ``parameters()``, ``children()`` and ``named_parameters()`` give their results one by
# one: make a list of them before you take a part, ``list(model.children())[:-1]``, or
# ask for its length. The method without brackets is the method itself. ``for name, p in
# model.parameters()`` raises ``too many values to unpack`` or ``not enough values to
# unpack``, or worse, nothing, if a parameter has two rows: pairs come from
# ``named_parameters()``. And a model is no list: ``model[0]`` and ``for layer in
# model`` work for ``Sequential`` and ``ModuleList`` only.

wrong = {
    "children()[:-1]": lambda: model.children()[:-1],
    "len(parameters())": lambda: len(model.parameters()),
    "for p in parameters": lambda: list(model.parameters),
    "for layer in model": lambda: list(model),
    "model[0]": lambda: model[0],
}
for code, run in wrong.items():
    try:
        run()
    except TypeError as error:
        texts[code] = str(error)
    else:
        raise AssertionError(f"{code} ran")
    print(f"{code:21}{texts[code]}")
assert texts["children()[:-1]"] == "'generator' object is not subscriptable"
assert texts["for p in parameters"] == "'method' object is not iterable"
two_rows = [name for name, p in nn.Linear(3, 2).parameters()]  # wrong, no error
print([type(name).__name__ for name in two_rows])
assert all(isinstance(name, torch.Tensor) for name in two_rows)
# Right: a list, brackets, named_parameters(), children().
assert list(model.children())[:1] == [model.head]
assert [name for name, _ in model.named_parameters()] == ["head.weight", "head.bias"]

# %%
# Read on: :doc:`/gallery/freezing/freeze_by_name`.
