"""
``optimizer got an empty parameter list``
=========================================

The optimizer got no parameters: all were frozen and filtered out, the module has not
registered any layer, or an earlier loop used up the generator. Unfreeze before you
filter, look at ``__init__``, or, for the generator only, pass a list.
"""

# %%
import torch

model = torch.nn.Linear(2, 1).requires_grad_(False)
try:
    # Wrong: all parameters are frozen, so none is left.
    trainable = [p for p in model.parameters() if p.requires_grad]
    torch.optim.SGD(trainable, lr=0.1)
except ValueError as error:
    print(f"ValueError: {error}")
else:
    raise AssertionError("an optimizer got no parameters")
# Right: unfreeze first, then filter.
model.bias.requires_grad_(True)
trainable = [p for p in model.parameters() if p.requires_grad]
optimizer = torch.optim.SGD(trainable, lr=0.1)
print(len(optimizer.param_groups[0]["params"]))
assert trainable == [model.bias]

# %%
# ``list(model.parameters())`` does not help: the model has no parameters
# -----------------------------------------------------------------------
# Print ``len(list(model.parameters()))`` in the line before the optimizer. If it is 0,
# ``list()`` can't help, because no layer with parameters was registered (those that
# ``quantize_dynamic()`` makes have none). Look at the class of this ``model``:
#
# - ``__init__`` is misspelt, as ``_init_`` or ``__int__``, or indented so far that it
#   is inside another function. Python never calls it. If the class takes no arguments,
#   nothing is raised before the optimizer or the forward.
# - Its layers are made in ``if backbone == ...``, and no branch was taken: it trains
#   with one backbone, and with another one it has no layers. Raise in ``else``.
# - The layers are local variables, without ``self.``, or in a plain list or dictionary
#   (see below), or ``model`` is another object than you think.
#
# If it isn't 0, the parameters are lost later: in the filter, because all are frozen,
# or in a generator that was used up.


class Misspelt(torch.nn.Module):
    # Wrong: Python calls __init__, with two underscores on each side.
    def _init_(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)


class Detector(torch.nn.Module):
    def __init__(self, backbone, *, strict=False):
        super().__init__()
        if backbone == "resnet50":
            self.layer = torch.nn.Linear(2, 1)
        elif strict:
            # Right: an unknown name is an error.
            raise ValueError(f"unknown backbone {backbone}")


class Local(torch.nn.Module):
    def __init__(self):
        super().__init__()
        # Wrong: a local variable.
        layer = torch.nn.Linear(2, 1)
        self.outputs = layer.out_features


models = Misspelt(), Detector("resnet-50"), Local(), Detector("resnet50")
counts = [len(list(m.parameters())) for m in models]
print(counts)
assert counts == [0, 0, 0, 2]
try:
    torch.optim.SGD(list(models[0].parameters()), lr=0.1)
except ValueError as error:
    message = str(error)
else:
    raise AssertionError("the list was not empty")
assert message == "optimizer got an empty parameter list"
try:
    Detector("resnet-50", strict=True)
except ValueError as error:
    message = str(error)
else:
    raise AssertionError("the name was known")
assert message == "unknown backbone resnet-50"

# %%
# A generator was used up
# -----------------------
# ``parameters()`` and ``filter()`` return an iterator, which can be read only once.
parameters = model.parameters()
count = sum(p.numel() for p in parameters)
try:
    # Wrong: sum() has read all of them.
    torch.optim.SGD(parameters, lr=0.1)
except ValueError as error:
    message = str(error)
else:
    raise AssertionError("an iterator was read twice")
assert message == "optimizer got an empty parameter list"
# Right: a list can be read again.
parameters = list(model.parameters())
count = sum(p.numel() for p in parameters)
optimizer = torch.optim.SGD(parameters, lr=0.1)
print(count, len(optimizer.param_groups[0]["params"]))
assert len(optimizer.param_groups[0]["params"]) == 2


# %%
# Everything is frozen, and the error does not come: groups, and the ``Trainer``
# ------------------------------------------------------------------------------
# With a list of groups, the optimizer accepts groups without parameters. The
# ``Trainer`` of transformers and many scripts make two groups, with and without weight
# decay, so both can be empty. Then ``backward()`` raises *element 0 of tensors does not
# require grad*, or, if the input requires a gradient, nothing is raised, ``step()``
# does nothing, and the loss stays. Count what the optimizer holds.
model.requires_grad_(False)
named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
groups = [
    {"params": [p for n, p in named if "bias" not in n], "weight_decay": 0.01},
    {"params": [p for n, p in named if "bias" in n], "weight_decay": 0.0},
]
optimizer = torch.optim.AdamW(groups)
held = sum(len(group["params"]) for group in optimizer.param_groups)
before = model.weight.detach().clone()
model(torch.ones(1, 2, requires_grad=True)).sum().backward()
optimizer.step()
print(held, model.weight.equal(before))
assert held == 0
assert model.weight.equal(before)
model.bias.requires_grad_(True)


# %%
# The module has no parameters
# ----------------------------
# A module registers the parameters and modules that are assigned to its attributes, not
# those in a plain list or dict. Use ``nn.ModuleList``, ``nn.ModuleDict`` or
# ``nn.ParameterList``.
class Layers(torch.nn.Module):
    def __init__(self, container):
        super().__init__()
        layers = [torch.nn.Linear(2, 2), torch.nn.Linear(2, 1)]
        self.layers = container(layers)


# Wrong: a plain list.
wrong = Layers(list)
# Right: a ModuleList.
right = Layers(torch.nn.ModuleList)
print([len(list(m.parameters())) for m in (wrong, right)])
assert list(wrong.parameters()) == []
assert len(list(right.parameters())) == 4

# %%
# ``model.params()`` works, ``model.parameters()`` is empty: weights as plain tensors
# -----------------------------------------------------------------------------------
# ``parameters()`` yields what is registered: each ``nn.Parameter`` that is assigned to
# an attribute, and those of the submodules. A plain tensor is not registered, whatever
# its ``requires_grad``. Nor is a ``Variable``, which is a plain tensor today, and a
# buffer is registered, but not as a parameter. Layers for meta-learning keep their
# weights like this on purpose, because the inner loop replaces them by results with a
# graph, and a parameter can't be replaced so. Their own method lists them, often
# ``params()``: give that to the optimizer, before the inner loop. Make such a model on
# its device: ``model.to(...)`` leaves a plain tensor where it is, and a buffer that it
# converts is a result (:doc:`cant_optimize_a_non_leaf_tensor`).
#
# In a model of your own, write ``nn.Parameter``. For an inner loop,
# ``torch.func.functional_call`` takes the new weights as an argument:
# :doc:`/gallery/recipes/meta_learning`.


class Replaceable(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("weight", torch.ones(2, requires_grad=True))
        self.bias = torch.zeros(1, requires_grad=True)

    def params(self):
        return [self.weight, self.bias]

    def forward(self, x):
        return x @ self.weight + self.bias


model = Replaceable()
try:
    # Wrong: neither of the two is registered as a parameter.
    torch.optim.SGD(model.parameters(), lr=0.1)
except ValueError as error:
    message = str(error)
else:
    raise AssertionError("a plain tensor was registered")
assert message == "optimizer got an empty parameter list"
# Right: the method of the model.
optimizer = torch.optim.SGD(model.params(), lr=0.1)
model(torch.ones(1, 2)).sum().backward()
optimizer.step()
print(len(list(model.parameters())), len(model.params()), model.weight.tolist())
assert model.weight.allclose(torch.tensor(0.9))
# What the layer is for: its weight can be a result.
model.weight = model.weight - 0.1 * torch.ones(2)
assert not model.weight.is_leaf
layer = torch.nn.Linear(2, 1)
try:
    layer.weight = layer.weight - 0.1
except TypeError as error:
    message = str(error)
else:
    raise AssertionError("a parameter was replaced by a result")
assert message.startswith("cannot assign")
# A conversion makes a result of the buffer, and leaves the plain tensor.
model = Replaceable().double()
assert not model.weight.is_leaf
assert model.bias.dtype == torch.float32

# %%
# The list of biases is empty: all layers have ``bias=False``
# -----------------------------------------------------------
# Code such as YOLO's sorts the parameters into ``pg0``, ``pg1`` and ``pg2``, makes the
# optimizer from one of them, and adds the others. If that one is empty, it raises. Pass
# all of them in one list of groups, which may contain empty ones. And compare with
# ``model.parameters()``, because such sorting also misses parameters:
# :doc:`/gallery/freezing/different_learning_rates`.
model = torch.nn.Sequential(
    torch.nn.Conv2d(1, 2, 1, bias=False), torch.nn.Conv2d(2, 1, 1, bias=False)
)
weights = [p for name, p in model.named_parameters() if name.endswith("weight")]
biases = [p for name, p in model.named_parameters() if name.endswith("bias")]
try:
    # Wrong: made from the biases, of which there are none.
    optimizer = torch.optim.SGD(biases, lr=0.1)
except ValueError as error:
    message = str(error)
else:
    raise AssertionError("there were biases")
assert message == "optimizer got an empty parameter list"
# Right: all groups in one list.
optimizer = torch.optim.SGD(
    [{"params": weights, "weight_decay": 5e-4}, {"params": biases}], lr=0.1
)
held = {id(p) for group in optimizer.param_groups for p in group["params"]}
print([len(group["params"]) for group in optimizer.param_groups])
assert held == {id(p) for p in model.parameters()}

# %%
# Parameter groups can be empty without an error, and if all are, nothing trains: print
# their lengths.
optimizer = torch.optim.SGD([{"params": []}], lr=0.1)
print([len(group["params"]) for group in optimizer.param_groups])
assert optimizer.param_groups[0]["params"] == []

# %%
# Read on: :doc:`/gallery/three-ways/filter_parameters_into_the_optimizer`.
