"""
``Cannot insert a Tensor that requires grad as a constant``
===========================================================

``torch.jit.trace()``, and an export to ONNX that traces, met a trainable tensor that is
no parameter of the traced module and none of its inputs. Register the layer that holds
it as a submodule, or freeze it.
"""

# %% tags=["hide-input"]
# A model whose forward calls what it was given.
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


# %%
head, x = nn.Linear(2, 1), torch.ones(1, 2)
try:
    # Wrong: a method of the layer. The layer itself is not registered.
    torch.jit.trace(Model(head.forward), x)
except RuntimeError as error:
    print(f"RuntimeError: {str(error).splitlines()[0]}")
else:
    raise AssertionError("a trainable tensor became a constant")
# Right: the layer itself
traced = torch.jit.trace(Model(head), x)
print([name for name, _ in traced.named_parameters()])
assert len(list(traced.parameters())) == 2
assert torch.equal(traced(x), head(x))

# %%
# Why does it want to be a constant?
# ----------------------------------
# A trace knows the inputs, the parameters and the buffers of its module. It writes
# every other tensor into the program as a constant, and a constant can't be trained, so
# a tensor that requires a gradient is refused. The text ends with the values of the
# tensor: its shape says which one it is. It is one of these:
#
# - a weight of a layer of which only a method is stored, as above, or with
#   ``self.forward_head = backbone.forward_head``;
# - layers in a list, a tuple or a dictionary, where ``nn.ModuleList`` or
#   ``nn.ModuleDict`` belongs;
# - a tensor in an attribute, where ``nn.Parameter`` belongs;
# - a tensor or a module from outside of the function that is traced.
#
# The same layers are missing in ``model.parameters()``, in the ``state_dict()`` and in
# an optimizer made from them: :doc:`/gallery/freezing/layers_made_too_late`.


class Unregistered(nn.Module):
    def __init__(self, holder):
        super().__init__()
        self.holder = holder([nn.Linear(2, 2)])

    def forward(self, x):
        return self.holder[0](x)


class Plain(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.scale = kind(torch.ones(2)).requires_grad_()

    def forward(self, x):
        return x * self.scale


def can_be_traced(function):
    try:
        torch.jit.trace(function, x)
    except RuntimeError as error:
        if not str(error).startswith("Cannot insert a Tensor that requires grad"):
            raise
        return False
    return True


outside = torch.ones(2, requires_grad=True)
ways = {
    "list": Unregistered(list),
    "nn.ModuleList": Unregistered(nn.ModuleList),
    "tensor": Plain(torch.Tensor.clone),
    "nn.Parameter": Plain(nn.Parameter),
    "lambda": lambda x: x * outside,
}
found = {name: can_be_traced(way) for name, way in ways.items()}
print(found)
assert [name for name, traced in found.items() if traced] == [
    "nn.ModuleList",
    "nn.Parameter",
]

# %%
# If it need not train any more
# -----------------------------
# Freeze it, or ``detach()`` the tensor before the trace: then it becomes a constant,
# which does not train. For a program that only predicts, as in ONNX, this is enough. In
# the traced code, ``detach()`` comes too late: it is traced as an operation on the same
# tensor. ``torch.no_grad()`` does not help either, in ``__init__()`` or around the
# trace: it does not change the ``requires_grad`` of a weight.
constant = outside.detach()
with torch.no_grad():
    found = {"no_grad()": can_be_traced(Model(head.forward))}
found["detach() inside"] = can_be_traced(lambda x: x * outside.detach())
found["detach() before"] = can_be_traced(lambda x: x * constant)
head.requires_grad_(False)
model = Model(head.forward)
found["frozen"] = can_be_traced(model)
print(found)
assert list(found.values()) == [False, False, True, True]
traced = torch.jit.trace(model, x)
assert not list(traced.parameters())
assert torch.equal(traced(x), model(x))

# %%
# ``torch.onnx.export()`` traces with ``dynamo=False``, which was the default before
# PyTorch 2.9. The new way goes through ``torch.export``. That raises no such error: a
# weight that is not registered becomes a constant without a warning, and is missing in
# the ``state_dict`` of the program.
head.requires_grad_(True)
exported = torch.export.export(model, (x,))
print(list(exported.state_dict), len(exported.constants))
assert not exported.state_dict
assert len(exported.constants) == 2

# %%
# Read on: :doc:`/gallery/beyond/compile_trace_export`, :doc:`torch_jit`. Source for the
# default of ``dynamo``: :torch:`torch.onnx <onnx.html>`.
