"""
``Boolean value of Tensor with more than one value is ambiguous``
=================================================================

Python asked whether a whole tensor is true. ``p in list`` asks it when you sort
parameters for freezing or for groups: compare the objects, with ``is`` or with a set.
``nn.MSELoss(prediction, target)`` asks it, too: it needs a second pair of brackets.
"""

# %%
import torch
from torch import nn

model = nn.ModuleDict({"body": nn.Linear(2, 2), "head": nn.Linear(2, 2)})
head = list(model["head"].parameters())
try:
    # Wrong: "in" compares the values of two tensors.
    rest = [p for p in model.parameters() if p not in head]
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("two tensors were compared")
# Right: a set compares the objects.
in_head = set(head)
rest = [p for p in model.parameters() if p not in in_head]
print([tuple(p.shape) for p in rest])
assert rest[0] is model["body"].weight
assert len(rest) == 2

# %%
# Why a set works, and a list can be wrong without an error
# ---------------------------------------------------------
# A set compares tensors by identity. A list asks ``==``, which gives a tensor of
# booleans. With several values it raises this error, with different shapes the one of
# :doc:`must_match_the_size_of_tensor_b`. With one value it answers, and takes two
# parameters with equal values for the same one. ``list.index()`` and ``list.remove()``
# compare in the same way. Names are right, too.
first, second = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))
as_list, as_set = [first], {first}
print(second in as_list, second in as_set)
assert second in as_list
assert second not in as_set
assert any(p is first for p in [first, second])
by_name = [p for n, p in model.named_parameters() if not n.startswith("head.")]
assert all(p is q for p, q in zip(by_name, rest, strict=True))

# %%
# ``nn.MSELoss(prediction, target)`` and ``nn.CrossEntropyLoss(logits, labels)``
# ------------------------------------------------------------------------------
# This creates an object of the class, and takes the tensors for its options. Create it
# once, and call it; or call the function, ``F.mse_loss(prediction, target)``.
prediction, target = torch.ones(2, requires_grad=True), torch.zeros(2)
try:
    # Wrong: the tensors are options of the class.
    nn.MSELoss(prediction, target)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("the class took tensors")
assert message == "Boolean value of Tensor with more than one value is ambiguous"
# Right: an object, and a call of it.
loss = nn.MSELoss()(prediction, target)
loss.backward()
print(prediction.grad)
assert prediction.grad.tolist() == [1, 1]

# %%
# ``if mask:``, ``and``, ``not``, ``max(a, b)``
# ---------------------------------------------
# - Ask a question with one answer: ``if mask.any():``, ``if grad is not None:``. ``if
#   p.grad:`` is wrong for the second reason, too: a gradient of zero is false.
# - Combine element by element with ``&``, ``|`` and ``~``, in brackets.
# - Choose element by element with ``torch.where()`` and ``torch.maximum()``, which have
#   gradients. An ``if`` on a value has none: only the branch that ran is recorded.
a, b = torch.tensor([1.0, 4.0], requires_grad=True), torch.tensor([2.0, 3.0])
for question in (lambda: not a, lambda: max(a, b), lambda: (a > 1) and (b > 1)):
    try:
        question()
    except RuntimeError as error:
        message = str(error)
    else:
        raise AssertionError("a tensor was true or false")
    assert message.startswith("Boolean value of Tensor with more than one value")
torch.maximum(a, b).sum().backward()
print(a.grad, ((a > 1) & (b > 1)).tolist())
assert a.grad.tolist() == [0, 1]
assert not bool(torch.zeros(1))

# %%
# Read on: :doc:`parameters_appear_in_more_than_one_parameter_group`,
# :doc:`/gallery/freezing/freeze_by_name`.
