"""
``One of the differentiated Tensors does not require grad``
===========================================================

A tensor in the inputs of ``autograd.grad`` has ``requires_grad=False``. Set it to True
before the forward pass, or leave the tensor out if it is frozen on purpose.
"""

# %%
import torch

weight = torch.ones(2, requires_grad=True)
x = torch.tensor([3.0, 4.0])
# Wrong: x does not require a gradient.
loss = (weight * x).sum()
try:
    torch.autograd.grad(loss, x)
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("x required a gradient")
# Right: requires_grad_() comes first, then the forward pass.
x.requires_grad_()
loss = (weight * x).sum()
(gradient,) = torch.autograd.grad(loss, x)
print(gradient)
assert gradient.tolist() == [1, 1]

# %%
# After the forward pass it is too late
# -------------------------------------
# The forward pass decides what is recorded. If you set ``requires_grad`` after it, you
# get another error.
x = torch.tensor([3.0, 4.0])
# Wrong: the loss was computed before.
loss = (weight * x).sum()
x.requires_grad_()
try:
    torch.autograd.grad(loss, x)
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("x was recorded")
# Right: the loss is computed again.
loss = (weight * x).sum()
(gradient,) = torch.autograd.grad(loss, x)
assert gradient.tolist() == [1, 1]

# %%
# A frozen parameter is in the list
# ---------------------------------
# Leave out what is frozen. ``allow_unused=True`` does not help here.
model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 1))
model[0].requires_grad_(False)
# Wrong: the list contains the frozen parameters.
try:
    torch.autograd.grad(model(x).sum(), [*model.parameters()], allow_unused=True)
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("nothing was frozen")
# Right: only the parameters that require a gradient.
trainable = [p for p in model.parameters() if p.requires_grad]
gradients = torch.autograd.grad(model(x).sum(), trainable)
print(len(gradients))
assert len(gradients) == 2

# %%
# The tensor is a detached result
# -------------------------------
# The result of ``detach()``, or of an operation under ``no_grad()``, has
# ``requires_grad=False``. Ask for the tensor that the loss was computed from.
hidden = model[0](x)
# Wrong: the detached tensor is asked for.
loss = model[1](hidden).sum()
try:
    torch.autograd.grad(loss, hidden.detach())
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("the detached tensor required a gradient")
# Right: the tensor that was used is asked for.
loss = model[1](hidden).sum()
(gradient,) = torch.autograd.grad(loss, hidden)
assert gradient.equal(model[1].weight[0])

# %%
# Read on: :doc:`/gallery/graph/gradients_of_some_inputs`.
