"""
``params argument given to the optimizer should be an iterable of Tensors or dicts``
====================================================================================

The optimizer got one tensor. Put it into a list: ``SGD([weight], lr=0.1)``. For a
module pass ``model.parameters()``, with brackets behind it, and for several modules one
list of all their parameters.
"""

# %%
import torch
from torch import nn

weight = torch.ones(2, requires_grad=True)
try:
    # Wrong: a tensor.
    torch.optim.SGD(weight, lr=0.1)
except TypeError as error:
    print(f"TypeError: {error}")
else:
    raise AssertionError("the optimizer took a tensor")
# Right: a list of tensors.
optimizer = torch.optim.SGD([weight], lr=0.1)
weight.sum().backward()
optimizer.step()
print(weight.tolist())
assert weight.tolist() != [1, 1]

# %%
# ``optimizer can only optimize Tensors, but one of the params is``
# -----------------------------------------------------------------
# Then it is a list, and something else than a tensor is in it. What follows says what
# it is, and how you call it right:
#
# - a module, or ``'Linear' object is not iterable``: ``model`` instead of
#   ``model.parameters()``
# - ``'method' object is not iterable``: ``model.parameters`` without brackets
# - ``generator``: a list of several ``parameters()``. Unpack them with a star:
#   ``[*body.parameters(), *head.parameters()]``
# - ``unsupported operand type(s) for +``: ``body.parameters() + head.parameters()``.
#   The star is right here, too
# - ``str``: a ``state_dict()``, an ``nn.ParameterDict``, or one group that is not in a
#   list. Write ``[{"params": model.parameters(), "lr": 0.1}]``
body, head = nn.Linear(2, 2), nn.Linear(2, 1)
wrong = {
    "head": lambda: head,
    "head.parameters": lambda: head.parameters,
    "[body, head]": lambda: [body, head],
    "[body.parameters(), ...]": lambda: [body.parameters(), head.parameters()],
    "body.parameters() + ...": lambda: body.parameters() + head.parameters(),
    "head.state_dict()": head.state_dict,
    '{"params": ...}': lambda: {"params": head.parameters()},
    "ParameterDict": lambda: nn.ParameterDict({"scale": torch.ones(1)}),
}
texts = {}
for name, argument in wrong.items():
    try:
        torch.optim.SGD(argument(), lr=0.1)
    except TypeError as error:
        texts[name] = str(error)
    else:
        raise AssertionError(f"the optimizer took {name}")
    print(f"{name:26}{texts[name]}")
assert texts["head"] == "'Linear' object is not iterable"
assert texts["head.parameters"] == "'method' object is not iterable"
for name in ("head.state_dict()", '{"params": ...}', "ParameterDict"):
    assert texts[name].endswith("one of the params is str")

# %%
# Which of these is right, and holds all of them? Count what the optimizer holds.
# ``named_parameters()`` is accepted since PyTorch 2.6; before, it raised the error with
# ``tuple``. Frozen parameters may be in the list: they are skipped as long as their
# ``.grad`` is None.
both = nn.ModuleDict({"body": body.requires_grad_(False), "head": head})
right = {
    "parameters()": both.parameters(),
    "stars": [*body.parameters(), *head.parameters()],
    "groups": [
        {"params": body.parameters(), "lr": 0.01},
        {"params": head.parameters()},
    ],
    "named_parameters()": both.named_parameters(),
}
for name, argument in right.items():
    optimizer = torch.optim.SGD(argument, lr=0.1)
    held = sum(len(group["params"]) for group in optimizer.param_groups)
    print(f"{name:20}{held}")
    assert held == 4

# %%
# Read on: :doc:`optimizer_got_an_empty_parameter_list`,
# :doc:`cant_optimize_a_non_leaf_tensor`,
# :doc:`/gallery/freezing/different_learning_rates`.
