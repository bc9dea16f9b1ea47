"""
``some parameters appear in more than one parameter group``
===========================================================

The optimizer has this parameter already: two groups overlap, a layer was added twice,
or two layers share one weight. Leave it out of one group. To unfreeze a parameter that
the optimizer already has, set its ``requires_grad`` to True.
"""

# %%
import torch
from torch import nn

model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
head = {"params": list(model[1].parameters()), "lr": 0.1}
try:
    # Wrong: model.parameters() includes those of the head.
    torch.optim.SGD([{"params": model.parameters()}, head])
except ValueError as error:
    print(f"ValueError: {error}")
else:
    raise AssertionError("two groups overlap")
# Right: all parameters but those of the head.
in_head = set(head["params"])
rest = [p for p in model.parameters() if p not in in_head]
optimizer = torch.optim.SGD([{"params": rest}, head])
print([len(group["params"]) for group in optimizer.param_groups])
assert len(rest) == len(in_head) == 2

# %%
# A layer was added twice
# -----------------------
# An optimizer that got ``model.parameters()`` also has the frozen ones. To unfreeze
# them, ``requires_grad_(True)`` is enough. (``LBFGS`` is an exception: make a new one
# from the parameters that train. For ``SGD`` with ``momentum`` and ``fused=True``, see
# :doc:`expected_tensor_as_element`.)
model[0].requires_grad_(False)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
model[0].requires_grad_(True)
try:
    # Wrong: the optimizer has them already.
    optimizer.add_param_group({"params": model[0].parameters()})
except ValueError as error:
    message = str(error)
else:
    raise AssertionError("a layer was added twice")
assert "more than one parameter group" in message
# Right: the next step trains them without another group.
before = model[0].bias.clone()
model(torch.ones(1, 2)).sum().backward()
optimizer.step()
print(model[0].bias.equal(before))
assert not model[0].bias.equal(before)

# %%
# Two layers share a weight
# -------------------------
# Tied weights are one parameter. ``model.parameters()`` lists it once; of two groups,
# leave it out of one.
embed, out = nn.Embedding(5, 3), nn.Linear(3, 5)
out.weight = embed.weight
first = {"params": list(embed.parameters())}
try:
    # Wrong: the shared weight is in both groups.
    torch.optim.SGD([first, {"params": out.parameters()}], lr=0.1)
except ValueError as error:
    message = str(error)
else:
    raise AssertionError("the shared weight is in two groups")
assert "more than one parameter group" in message
# Right: the second group has the bias alone.
optimizer = torch.optim.SGD([first, {"params": [out.bias]}], lr=0.1)
print([len(group["params"]) for group in optimizer.param_groups])
assert len(list(nn.ModuleList([embed, out]).parameters())) == 2

# %%
# A parameter that appears twice in the same group gives only a warning, about duplicate
# parameters.
import warnings

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    torch.optim.SGD([model[0].bias, model[0].bias], lr=0.1)
assert "duplicate parameters" in str(caught[0].message)

# %%
# Read on: :doc:`/gallery/beyond/add_param_group_errors`.
