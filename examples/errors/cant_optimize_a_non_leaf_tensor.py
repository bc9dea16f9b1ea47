"""
``can't optimize a non-leaf Tensor``
====================================

The tensor is the result of an operation such as ``.to()``, indexing or arithmetic, and
by default ``backward()`` leaves the ``.grad`` of a result None. Convert first, and set
``requires_grad`` last. To move a module, call ``module.to()``.
"""

# %%
import torch

# Wrong: to() returns a result, because it has to convert.
wrong = torch.ones(2, requires_grad=True).to(torch.float64)
try:
    torch.optim.SGD([wrong], lr=0.1)
except ValueError as error:
    print(f"ValueError: {error}")
else:
    raise AssertionError("the optimizer accepted a result")

# Right: requires_grad comes last.
right = torch.ones(2).to(torch.float64).requires_grad_()
optimizer = torch.optim.SGD([right], lr=0.1)
right.sum().backward()
optimizer.step()
print(right.tolist())
assert right.tolist() == [0.9, 0.9]

# %%
# ``nn.Parameter(...).to(device)``, ``requires_grad=True).cuda()``, ``* 0.1``, ``[:5]``
# -------------------------------------------------------------------------------------
# Each of these makes a result of the leaf. Put the call inside the brackets, and use
# ``detach()`` where the start value is computed from something that trains. For some
# rows of an embedding, give the optimizer the whole weight and mask the gradient
# (:doc:`/gallery/freezing/freeze_some_rows_of_an_embedding`), or make the rows a leaf
# of their own, as in the next section. ``.to()`` and ``.cuda()`` return the leaf itself
# if it is there already: so the error can come on a machine with a GPU only.
dtype, table = torch.float64, torch.nn.Embedding(9, 2)
wrong = {
    "nn.Parameter(t).to()": torch.nn.Parameter(torch.ones(2)).to(dtype),
    "randn() * 0.1": torch.randn(2, requires_grad=True) * 0.1,
    "normalize(w)": torch.nn.functional.normalize(table.weight),
    "weight[:5]": table.weight[:5],
}
right = {
    "nn.Parameter(t.to())": torch.nn.Parameter(torch.ones(2).to(dtype)),
    "requires_grad_()": (torch.randn(2) * 0.1).requires_grad_(),
    "detach()": torch.nn.functional.normalize(table.weight.detach()).requires_grad_(),
    "weight": table.weight,
}
print({name: tensor.is_leaf for name, tensor in (wrong | right).items()})
assert not any(tensor.is_leaf for tensor in wrong.values())
for tensor in right.values():
    torch.optim.SGD([tensor], lr=0.1)
leaf = torch.ones(2, requires_grad=True)
assert leaf.to(torch.float32) is leaf

# %%
# To train a slice of a tensor alone, as a part of a text embedding
# -----------------------------------------------------------------
# ``text_embedding[:, 1:3]`` is computed from ``text_embedding``, and so the optimizer
# refuses it. Make the slice a leaf of its own with ``detach().clone()``, give that to
# the optimizer, and put the whole together again in each step. Without this second
# half, the model still gets the old values, and the slice trains nothing.
torch.manual_seed(0)
text_embedding = torch.randn(1, 5, 2, requires_grad=True)
try:
    # Wrong: a slice.
    torch.optim.SGD([text_embedding[:, 1:3]], lr=0.1)
except ValueError as error:
    message = str(error)
else:
    raise AssertionError("the optimizer took a slice")
assert message == "can't optimize a non-leaf Tensor"
# Right: a leaf with the values of the slice.
fixed = text_embedding.detach()
part = fixed[:, 1:3].clone().requires_grad_()
optimizer = torch.optim.SGD([part], lr=0.1)
for _ in range(2):
    whole = torch.cat([fixed[:, :1], part, fixed[:, 3:]], dim=1)
    optimizer.zero_grad()
    whole.square().sum().backward()
    optimizer.step()
whole = torch.cat([fixed[:, :1], part, fixed[:, 3:]], dim=1)
changed = (whole != fixed).all(dim=2)[0].tolist()
print(changed)
assert changed == [False, True, True, False, False]

# %%
# The weight of a parametrized layer
# ----------------------------------
# With ``weight_norm`` or another parametrization, ``layer.weight`` is a result that is
# computed from other parameters. Pass ``layer.parameters()``.
from torch.nn.utils.parametrizations import weight_norm

layer = weight_norm(torch.nn.Linear(2, 1))
try:
    # Wrong: the computed weight.
    torch.optim.SGD([layer.weight], lr=0.1)
except ValueError as error:
    message = str(error)
else:
    raise AssertionError("the optimizer took a computed weight")
assert message == "can't optimize a non-leaf Tensor"
# Right: the parameters that it is computed from.
optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
print([name for name, _ in layer.named_parameters()])
assert len(optimizer.param_groups[0]["params"]) == 3

# %%
# No error, and nothing trains
# ----------------------------
# A result that retains its gradient is accepted. ``step()`` changes the result, and the
# leaf that it was computed from stays as it is, unless the result is a view of it.
leaf = torch.ones(2, requires_grad=True)
result = leaf * 1
result.retain_grad()
optimizer = torch.optim.SGD([result], lr=0.1)
result.sum().backward()
optimizer.step()
print(leaf.tolist())
assert leaf.tolist() == [1, 1]
assert result.tolist() != [1, 1]
view = leaf.view(2)
view.retain_grad()
view.sum().backward()
torch.optim.SGD([view], lr=0.1).step()
assert leaf.tolist() != [1, 1]

# %%
# Read on: :doc:`/gallery/graph/leaf_or_not`.
