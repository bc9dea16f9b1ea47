"""
``Setting requires_grad=True on inference tensor outside InferenceMode is not allowed``
=======================================================================================

The tensor was created under ``inference_mode()``, and outside of it you ask for its
gradient: directly, through a module, or with ``nn.Parameter``. Use a ``clone()`` that
you make outside, or create the tensor under ``no_grad()``.
"""

# %%
import torch

with torch.inference_mode():
    features = torch.ones(2)
try:
    # Wrong: features is an inference tensor.
    features.requires_grad_()
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("an inference tensor required a gradient")
# Right: a copy made outside.
x = features.clone().requires_grad_()
x.exp().sum().backward()
print(x.grad)
assert x.grad.equal(x.exp())

# %%
# The model was created under inference_mode()
# --------------------------------------------
# Then its parameters are inference tensors, and unfreezing them raises the error. Those
# of a deep copy that you make outside are ordinary tensors. Create the optimizer after
# the copy, because an earlier one holds the old parameters.
import copy

with torch.inference_mode():
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    model.requires_grad_(False)
try:
    # Wrong: unfreezes inference tensors.
    model.requires_grad_(True)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("an inference tensor required a gradient")
assert "Setting requires_grad=True on inference tensor" in message
# Right: unfreezes the parameters of a copy.
model = copy.deepcopy(model).requires_grad_(True)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
model(torch.rand(4, 2)).sum().backward()
optimizer.step()
print(model[1].bias.grad)
assert model[1].bias.grad.tolist() == [4, 4]
assert not any(t.is_inference() for t in model.state_dict().values())

# %%
# What does not help
# ------------------
# - ``detach()`` and ``data`` return an inference tensor again.
# - With ``no_grad()`` or ``enable_grad()`` around the call, the error stays.
# - Under ``inference_mode()``, the call raises nothing, and ``requires_grad`` is True.
#   But ``exp()`` of the tensor is not recorded, inside or outside.
#
# ``requires_grad_(False)`` raises nothing.
assert features.detach().is_inference()
assert features.data.is_inference()
for mode in (torch.no_grad, torch.enable_grad):
    try:
        with mode():
            features.requires_grad_()
    except RuntimeError as error:
        message = str(error)
    else:
        raise AssertionError("an inference tensor required a gradient")
    assert "Setting requires_grad=True on inference tensor" in message
features.requires_grad_(False)
with torch.inference_mode():
    features.requires_grad_()
    inside = features.exp()
print(features.requires_grad, inside.requires_grad, features.exp().requires_grad)
assert features.requires_grad
assert not inside.requires_grad
assert not features.exp().requires_grad

# %%
# ``torch.compile`` under inference_mode()
# ----------------------------------------
# A compiled model with FP8 weights raised this error when it was called under
# ``inference_mode()``, as an ``InternalTorchDynamoError`` (`pytorch 161191
# <https://github.com/pytorch/pytorch/issues/161191>`__, 2025, not run). Nothing in your
# code asks for a gradient then: call the model under ``no_grad()``, or update PyTorch.
# With ordinary weights it works.
model = torch.nn.Linear(2, 1)
compiled = torch.compile(model, backend="eager")
with torch.inference_mode():
    output = compiled(torch.ones(1, 2))
assert output.is_inference()
compiled(torch.ones(1, 2)).sum().backward()
assert model.weight.grad is not None

# %%
# Read on: :doc:`/gallery/modes/inference_tensors_bite_later`.
