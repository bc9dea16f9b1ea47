"""
``an autograd.Function with functorch transforms … must override the setup_context``
====================================================================================

``vmap``, ``grad``, ``jvp``, ``jacrev`` and ``hessian`` refuse a function whose
``forward()`` takes ``ctx``. Take ``ctx`` out of it, and save in a second method,
``setup_context(ctx, inputs, output)``.
"""

# %% tags=["hide-input"]
# The function as it was.
import torch
from torch.func import grad, hessian, jacfwd, jacrev, vmap


class Wrong(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**2

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return 2 * x * gradient


# %%
class Right(Wrong):  # backward() stays as it is
    generate_vmap_rule = True

    @staticmethod
    def forward(x):  # wrong: forward(ctx, x), which saves x itself
        return x**2

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)


x = torch.tensor([1.0, 2.0])
for function in (Wrong, Right):
    try:
        print(vmap(grad(function.apply))(x))
    except RuntimeError as error:
        print(f"RuntimeError: {error}")

# %%
# ``inputs`` is a tuple of all arguments of ``apply()``, ``output`` what ``forward()``
# returned: one tensor, or a tuple. ``mark_non_differentiable``, ``mark_dirty`` and
# attributes such as ``ctx.scale = inputs[1]`` go into ``setup_context()``, too. What
# ``forward()`` computes on the way and ``backward()`` needs is either computed again
# there, or a further output: return it, save it in ``setup_context()``, and drop it
# where you call the function. Outside of the transforms the function works as before.
#
# If the function is not yours (reported for `FlashAttention
# <https://github.com/Dao-AILab/flash-attention/issues/2071>`__, `DeBERTa
# <https://github.com/huggingface/transformers/issues/29463>`__ and `Liger kernels
# <https://github.com/linkedin/Liger-Kernel/pull/1184>`__, not run), switch to an
# implementation of plain operations, or take the gradient with ``torch.autograd.grad``,
# for gradients of each sample in a loop.
assert vmap(grad(Right.apply))(x).tolist() == [2, 4]
leaf = x.clone().requires_grad_()
Right.apply(leaf).sum().backward()
assert leaf.grad.tolist() == [2, 4]


# %%
# ``You tried to vmap over …, but it does not have vmap support``
# ---------------------------------------------------------------
# Set ``generate_vmap_rule = True`` in the class if its methods are made of PyTorch
# operations: then ``vmap`` goes through them. If ``forward()`` calls NumPy or a kernel
# of your own, that raises ``Cannot access data pointer of Tensor that doesn't have
# storage``. Write a static method ``vmap(info, in_dims, *inputs)`` instead: it gets the
# whole batch, and returns the output and where its batch dimension is. Both together
# are refused. ``grad`` and ``vjp`` need no rule without a ``vmap`` around them.
# ``jacrev`` runs ``backward()`` under ``vmap``: a function that is called there needs
# one, except with ``chunk_size=1``. A ``backward()`` that calls NumPy fails in all of
# them: put the call into a function of its own.
class NoRule(Right):
    generate_vmap_rule = False


class OwnRule(NoRule):
    @staticmethod
    def forward(x):
        return torch.from_numpy(x.numpy() ** 2)

    @staticmethod
    def vmap(info, in_dims, x):
        return OwnRule.apply(x), in_dims[0]


for function in (NoRule, OwnRule):
    try:
        print(vmap(function.apply)(x))
    except RuntimeError as error:
        print(str(error).partition(". ")[0])
assert vmap(OwnRule.apply)(x).tolist() == [1, 4]
assert vmap(grad(OwnRule.apply))(x).tolist() == [2, 4]
assert grad(lambda x: NoRule.apply(x).sum())(x).tolist() == [2, 4]


class Outer(NoRule):
    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return 2 * NoRule.apply(x).sqrt() * gradient


assert jacrev(Outer.apply, chunk_size=1)(x).diag().tolist() == [2, 4]
try:
    jacrev(Outer.apply)(x)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("jacrev needed no rule in backward()")
assert "does not have vmap support" in message
OwnRule.generate_vmap_rule = True
try:
    vmap(OwnRule.apply)(x)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("two rules were accepted")
assert "both generate_vmap_rule=True and an overridden vmap" in message
del OwnRule.vmap
try:
    vmap(OwnRule.apply)(x)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("vmap went through NumPy")
assert "Cannot access data pointer of Tensor that doesn't have storage" in message


# %%
# ``You must implement the jvp function for custom autograd.Function``: jacfwd, hessian
# -------------------------------------------------------------------------------------
# ``jvp``, ``jacfwd`` and ``hessian`` (which is ``jacfwd`` of ``jacrev``) run in forward
# mode, which needs the derivative as a static method ``jvp(ctx, *tangents)``, the last
# two also the rule for ``vmap``. Save what it reads with ``save_for_forward``. Or stay
# in reverse mode: ``jacrev(jacrev(f))`` is the same Hessian and needs no ``jvp``.
class Forward(Right):
    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def jvp(ctx, tangent):
        (x,) = ctx.saved_tensors
        return 2 * x * tangent


def total(function):
    return lambda x: function.apply(x).sum()


try:
    jacfwd(Right.apply)(x)
except NotImplementedError as error:
    print(error)
else:
    raise AssertionError("forward mode ran without jvp()")
print(hessian(total(Forward))(x).tolist(), jacrev(jacrev(total(Right)))(x).tolist())
twice_the_unit = (2 * torch.eye(2)).tolist()
assert jacfwd(Forward.apply)(x).diag().tolist() == [2, 4]
assert jacrev(NoRule.apply)(x).diag().tolist() == [2, 4]
assert hessian(total(Forward))(x).tolist() == twice_the_unit
Forward.generate_vmap_rule = False
try:
    jacfwd(Forward.apply)(x)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("jacfwd needed no rule")
assert "does not have vmap support" in message
assert jacrev(jacrev(total(Right)))(x).tolist() == twice_the_unit

# %%
# The model has no custom function: ``register_full_backward_hook``
# -----------------------------------------------------------------
# A full backward hook, and ``register_full_backward_pre_hook``, put a function of
# PyTorch's own around the layer (``BackwardHookFunction``), which is of the old kind.
# Remove the hook for the transform: :doc:`/gallery/modes/hooks_that_fail` has the cure
# and what to use in its place. To find it, look at ``module._backward_hooks`` and
# ``module._backward_pre_hooks`` of each module.
layer = torch.nn.Linear(2, 1)
handle = layer.register_full_backward_hook(lambda *_: None)
rows = torch.ones(3, 2)
try:
    vmap(jacrev(layer))(rows)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("a transform ran a full backward hook")
assert "must override the setup_context staticmethod" in message
print([type(m).__name__ for m in layer.modules() if m._backward_hooks])
handle.remove()
assert vmap(jacrev(layer))(rows).shape == (3, 1, 2)

# %%
# Read on: :doc:`/gallery/modes/custom_functions_that_fail`,
# :doc:`/gallery/beyond/func_and_functional_call`. Source: :torch:`Extending torch.func
# <notes/extending.func.html>`.
