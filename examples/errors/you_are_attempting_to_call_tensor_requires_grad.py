"""
``You are attempting to call Tensor.requires_grad_()``
======================================================

A function that ``grad``, ``vmap`` or ``jvp`` of ``torch.func`` transforms can't call
``requires_grad_()``. To freeze a tensor, pass it as an argument that is not
differentiated, or use its ``detach()``.
"""

# %%
import torch
from torch.func import grad


def loss(weight, scale, *, freeze):
    if freeze:
        scale.requires_grad_(False)
    return (weight * scale).sum()


weight, scale = torch.ones(2), torch.tensor([3.0, 4.0])
try:
    # Wrong: requires_grad_() inside the function.
    grad(loss)(weight, scale, freeze=True)
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("requires_grad_() ran in a transform")
# Right: by default, grad differentiates by the first argument.
print(grad(loss)(weight, scale, freeze=False))
assert grad(loss)(weight, scale, freeze=False).equal(scale)


# %%
# Freeze a value that is computed from the argument
# -------------------------------------------------
# Here ``detach()`` makes ``weight.square()`` a constant. The assignment
# ``x.requires_grad = False`` is not a way out: on the argument, it raises nothing, and
# the gradient becomes zero. With ``jacfwd`` it changes nothing.
def with_detach(weight):
    return (weight * weight.square().detach()).sum()


def with_assignment(weight):
    weight.requires_grad = False
    return (weight * weight.square()).sum()


assert grad(with_detach)(scale).equal(scale.square())
assert grad(with_assignment)(scale.clone()).tolist() == [0, 0]
assert torch.func.jacfwd(with_assignment)(scale.clone()).equal(3 * scale.square())

# %%
# I never called ``requires_grad_()``
# -----------------------------------
# By default, the functions of ``torch.autograd.functional`` call it. Inside a
# transform, use ``jacrev``, ``jacfwd``, ``hessian``, ``vjp`` or ``jvp`` of
# ``torch.func`` instead.
from torch.func import jacrev, vmap


def old_jacobian(x):
    return torch.autograd.functional.jacobian(torch.exp, x)


batch = torch.ones(3, 2)
try:
    vmap(old_jacobian)(batch)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("it ran in a transform")
assert "You are attempting to call Tensor.requires_grad_()" in message
jacobians = vmap(jacrev(torch.exp))(batch)
print(jacobians.shape)
assert jacobians[0].equal(old_jacobian(batch[0]))

# %%
# Read on: :doc:`/gallery/beyond/func_and_functional_call`.
