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
# ``stack_module_state()`` inside the function
# --------------------------------------------
# It calls ``requires_grad_()``, too. So a ``forward()`` that stacks the weights of
# several layers for ``vmap`` can't be transformed. Stack them outside, once, and pass
# the tensors in. If the layers themselves must get a gradient, use ``torch.stack``,
# which works inside as well: what ``stack_module_state()`` returns has no graph to
# them. Creating a layer inside raises nothing.
from torch.func import functional_call, jvp, stack_module_state

heads = torch.nn.ModuleList(torch.nn.Linear(2, 1) for _ in range(3))
point, direction = torch.ones(2), torch.tensor([1.0, 0.0])


def outputs(x, stacked):
    return vmap(lambda state: functional_call(heads[0], state, (x,)))(stacked)


def stacked_inside(x):
    return outputs(x, stack_module_state(heads))


def stacked_by_torch(x):
    names = [name for name, _ in heads[0].named_parameters()]
    states = {n: torch.stack([h.get_parameter(n) for h in heads]) for n in names}
    return outputs(x, states)


try:
    # Wrong: stack_module_state() inside the function.
    jvp(stacked_inside, (point,), (direction,))
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("it ran in a transform")
assert "You are attempting to call Tensor.requires_grad_()" in message
# Right: outside of it, or torch.stack.
state = stack_module_state(heads)
_, slopes = jvp(lambda x: outputs(x, state), (point,), (direction,))
print(slopes.flatten().equal(state[0]["weight"][:, 0, 0]))
assert slopes.flatten().allclose(state[0]["weight"][:, 0, 0])
_, same = jvp(stacked_by_torch, (point,), (direction,))
assert same.allclose(slopes)
outputs(point, state).sum().backward()
assert heads[0].weight.grad is None
same.sum().backward()
assert heads[0].weight.grad is not None
assert grad(lambda x: torch.nn.Linear(2, 1)(x).sum())(point).shape == (2,)

# %%
# ``backward() called inside a functorch transform``, ``.item()`` under ``vmap``
# ------------------------------------------------------------------------------
# The function that is transformed returns the loss, and the transform gives the
# gradient: no ``backward()``, no ``.grad`` and no ``loss.item()`` inside it. If you
# need the loss as well, ``grad_and_value()`` returns both. ``Expected f(*args) to
# return a scalar Tensor``: take the mean or the sum, or use ``jacrev()``.
from torch.func import grad_and_value

texts = []
for wrong in (
    lambda x: (x * weight).sum().backward(),
    lambda x: x.sum().item(),
    lambda x: grad(lambda w: w * x)(weight),
):
    try:
        vmap(wrong)(batch)
    except RuntimeError as error:
        texts.append(str(error).split(". ")[0])
    else:
        raise AssertionError("it ran in a transform")
print(*texts, sep="\n")
assert texts[0].startswith("backward() called inside")
assert ".item() on a Tensor" in texts[1]
assert "to return a scalar Tensor" in texts[2]
# Right: the loss is returned.
both = vmap(grad_and_value(lambda w, x: (w * x).sum()), in_dims=(None, 0))
gradients, values = both(weight, batch)
print(gradients.shape, values.tolist())
assert gradients.shape == (3, 2)
assert values.tolist() == [2, 2, 2]

# %%
# Read on: :doc:`/gallery/beyond/func_and_functional_call`.
