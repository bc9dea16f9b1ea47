"""
``'list' object has no attribute 'grad_fn'``
============================================

Also ``'tuple'`` or ``'dict'``, and ``'backward'``, ``'detach'`` or ``'requires_grad'``:
the model returns several tensors. Take the tensors out, and ask each of them.
"""

# %%
import torch
from torch import nn


class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        self.heads = nn.ModuleList([nn.Linear(2, 1), nn.Linear(2, 4)])

    def forward(self, x):
        return [head(x) for head in self.heads]


model, x = Detector(), torch.ones(1, 2)
outputs = model(x)
try:
    outputs.grad_fn  # wrong: a list
except AttributeError as error:
    print(f"AttributeError: {error}")
else:
    raise AssertionError("a list has a grad_fn")
print([output.grad_fn is not None for output in outputs])  # right: its tensors
assert all(output.grad_fn is not None for output in outputs)

# %%
# backward() of several outputs
# -----------------------------
# Compute a loss from each and add them up. What is nested needs a function that takes
# the tensors out. An LSTM returns a tuple in a tuple, a model of the library
# transformers an object with the attribute ``logits``.


def tensors(value):
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, (list, tuple)):
        return []
    return [tensor for part in value for tensor in tensors(part)]


sum(output.mean() for output in outputs).backward()
print([head.weight.grad is not None for head in model.heads])
assert all(head.weight.grad is not None for head in model.heads)

lstm = nn.LSTM(2, 3)
print(len(tensors(lstm(x))), len(tensors({"boxes": outputs, "image": 7})))
assert len(tensors(lstm(x))) == 3
assert len(tensors({"boxes": outputs, "image": 7})) == 2
messages = []
for value, name in ((lstm(x), "detach"), ({"loss": x}, "backward")):
    try:
        getattr(value, name)
    except AttributeError as error:
        messages.append(str(error))
    else:
        raise AssertionError("a container has the attribute of a tensor")
print(*messages, sep="\n")
assert messages == [
    "'tuple' object has no attribute 'detach'",
    "'dict' object has no attribute 'backward'",
]

# %%
# ``'tuple'`` or ``'str' object has no attribute 'requires_grad'``: a loop that freezes
# -------------------------------------------------------------------------------------
# The loop goes over pairs or names, not over parameters. ``named_parameters()`` and
# ``named_modules()`` give pairs: take both parts, ``for name, p in
# model.named_parameters()``. A ``state_dict()`` and a ``ParameterDict`` give names.
# ``'generator' object has no attribute 'requires_grad'``, or ``'method'``: there is no
# loop at all. Without a loop, ``module.requires_grad_(False)`` freezes all of it. A
# loop over layers raises nothing and freezes nothing:
# :doc:`/gallery/freezing/silent_typos`.
model = Detector()
loops = {
    "named_parameters()": model.named_parameters,
    "state_dict()": model.state_dict,
    "[parameters()]": lambda: [model.parameters()],
}
for name, items in loops.items():
    try:
        for p in items():
            p.requires_grad = False  # wrong
    except AttributeError as error:
        message = str(error)
    else:
        raise AssertionError(f"{name} gave parameters")
    print(f"{name:19}{message.split(' and ', maxsplit=1)[0]}")
    assert "object has no attribute 'requires_grad'" in message
for _, p in model.named_parameters():
    p.requires_grad = False  # right
assert not any(p.requires_grad for p in model.parameters())
model.requires_grad_(True)
for layer in model.heads:
    layer.requires_grad = False  # wrong, without an error
assert all(p.requires_grad for p in model.parameters())

# %%
# ``'float' object has no attribute 'backward'``: the loss is a number
# --------------------------------------------------------------------
# A number has no graph. ``loss.item()``, ``float(loss)`` or NumPy made it one
# (``'numpy.float64'``), or a sum that began as ``0`` met no batch (``'int'``). Keep two
# variables: ``loss``, a tensor, for ``backward()``, and a number for the log.
# ``'NoneType' object has no attribute 'backward'`` means that the model got no labels,
# or that a function ends without ``return``. ``torch.tensor(number,
# requires_grad=True).backward()`` raises nothing and trains nothing.
linear, total, running = nn.Linear(2, 1), 0, 0
try:
    total += linear(x).sum().item()
    total.backward()  # wrong
except AttributeError as error:
    message = str(error)
else:
    raise AssertionError("a number has a backward()")
print(message)
assert message == "'float' object has no attribute 'backward'"
loss = linear(x).sum()
loss.backward()  # right
running += loss.item()
print(linear.bias.grad)
assert linear.bias.grad == 1
torch.tensor(running, requires_grad=True).backward()
assert linear.bias.grad == 1

# %%
# ``argument 'input' (position 1) must be Tensor, not tuple``, ``not InceptionOutputs``
# -------------------------------------------------------------------------------------
# The loss, or the next layer, got everything that a model returns. In training mode,
# Inception and GoogLeNet of torchvision return an object with the auxiliary outputs, in
# ``eval()`` a tensor: take ``output.logits``, and add the loss of ``aux_logits`` with a
# factor such as 0.4. Segmentation models give a dictionary, ``output["out"]``, models
# of transformers an object, ``output.logits``, and an LSTM a tuple, so in a
# ``Sequential`` the layer after it fails. If Inception is frozen, its auxiliary head
# needs the new number of classes as well, or ``aux_logits=False`` (read, not run).
from typing import NamedTuple

heads, image = nn.ModuleList([nn.Linear(2, 3), nn.Linear(2, 3)]), x
label = torch.tensor([1])


class InceptionOutputs(NamedTuple):
    logits: torch.Tensor
    aux_logits: torch.Tensor


def inception(image):
    return InceptionOutputs(*[head(image) for head in heads])


recurrent = nn.Sequential(nn.LSTM(2, 2), nn.Linear(2, 1))
messages = []
for wrong in (
    lambda: nn.functional.cross_entropy(inception(image), label),
    lambda: recurrent(image),
):
    try:
        wrong()
    except TypeError as error:
        messages.append(str(error))
    else:
        raise AssertionError("a tuple was accepted as a tensor")
print(*messages, sep="\n")
assert messages[0].endswith("must be Tensor, not InceptionOutputs")
assert messages[1].endswith("argument 'input' (position 1) must be Tensor, not tuple")
output = inception(image)
losses = [nn.functional.cross_entropy(logits, label) for logits in output]
(losses[0] + 0.4 * losses[1]).backward()  # right
assert all(head.weight.grad.any() for head in heads)
sequence, _ = recurrent[0](image)
assert recurrent[1](sequence).shape == (1, 1)  # right

# %%
# A pruning library asks for grad_fn
# ----------------------------------
# Libraries that build a dependency graph walk from the ``grad_fn`` of the outputs back
# to the weights. They need the tensors, and a graph: parameters that require a
# gradient, and no ``no_grad()``. In Torch-Pruning, pass a function such as ``tensors``
# above as ``output_transform`` (`source
# <https://github.com/VainF/Torch-Pruning/blob/master/torch_pruning/dependency/graph.py>`__,
# read, not run; there the present version looks into lists, tuples and dictionaries
# itself). A model whose loader has frozen it has no graph:
model.requires_grad_(False)
frozen = [output.grad_fn for output in tensors(model(x))]
model.requires_grad_(True)
with torch.no_grad():
    unrecorded = [output.grad_fn for output in tensors(model(x))]
recorded = [output.grad_fn for output in tensors(model(x))]
print(frozen, unrecorded, [type(node).__name__ for node in recorded])
assert frozen == unrecorded == [None, None]
assert None not in recorded

# %%
# The grad_fn of a weight is None
# -------------------------------
# That is normal, and ``requires_grad=True`` does not change it. A weight is a leaf, and
# the grad_fn of a leaf is always None: no operation made it. Ask the weight for
# ``requires_grad``, and the output for ``grad_fn``. A weight that is computed from
# other parameters, as with ``weight_norm``, is no leaf and has one.
weight = model.heads[0].weight
print(weight.is_leaf, weight.requires_grad, weight.grad_fn)
assert weight.is_leaf
assert weight.requires_grad
assert weight.grad_fn is None
computed = nn.utils.parametrizations.weight_norm(nn.Linear(2, 1)).weight
assert computed.grad_fn is not None

# %%
# Read on: :doc:`/gallery/graph/leaf_or_not`, :doc:`/gallery/diagnose/read_a_graph`.
