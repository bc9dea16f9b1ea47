"""
``torch.compile with aot_autograd does not currently support double backward``
==============================================================================

What ``torch.compile`` has compiled can be differentiated only once. Leave the part that
needs a second derivative uncompiled, or compute the first derivative inside the
compiled function, with ``torch.func.grad``.
"""

# %%
import torch
from torch import nn

torch.manual_seed(0)
net = nn.Linear(2, 1)
compiled = torch.compile(net, backend="aot_eager")
x = torch.ones(3, 2, requires_grad=True)
try:
    # Wrong: a second derivative of the compiled network.
    (slope,) = torch.autograd.grad(compiled(x).square().sum(), x, create_graph=True)
    slope.square().mean().backward()
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("a compiled network was differentiated twice")
# Right: of the network itself. The parameters are the same.
(slope,) = torch.autograd.grad(net(x).square().sum(), x, create_graph=True)
slope.square().mean().backward()
print(net.weight.grad.shape)
assert net.weight.grad.any()

# %%
# ``aot_eager`` stands for the default backend here, ``inductor``, which raises the same
# error, but needs a C++ compiler. Both use AOTAutograd. ``backend="eager"`` does not,
# and works.
right = net.weight.grad
assert {*compiled.parameters()} == {*net.parameters()}


def penalty(net):
    (slope,) = torch.autograd.grad(net(x).square().sum(), x, create_graph=True)
    return slope.square().mean()


def gradient(loss):
    net.zero_grad()
    loss.backward()
    return net.weight.grad


assert torch.allclose(gradient(penalty(torch.compile(net, backend="eager"))), right)

# %%
# Leave a part out of a compiled function
# ---------------------------------------
# ``torch.compiler.disable`` keeps a function uncompiled, wherever it is called. Put the
# whole way from the input to its gradient into it: what is compiled before or behind is
# then differentiated once. To call a model that is compiled already without its
# compiled code, use ``torch.compiler.set_stance("force_eager")``.
uncompiled_penalty = torch.compiler.disable(penalty)


def loss(x):
    return net(x).square().mean() + uncompiled_penalty(net)


compiled_loss = torch.compile(loss, backend="aot_eager")
assert torch.allclose(gradient(compiled_loss(x)), gradient(loss(x)))
with torch.compiler.set_stance("force_eager"):
    assert torch.allclose(gradient(penalty(compiled)), right)

# %%
# If only the network is disabled, and an operation before it is compiled, the error
# stays: the gradient of ``x`` goes through that operation, too.
inner = torch.compiler.disable(net.forward)
still_wrong = torch.compile(lambda x: inner(2 * x), backend="aot_eager")
try:
    penalty(still_wrong).backward()
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("a compiled operation was differentiated twice")
assert "does not currently support double backward" in message

# %%
# Compile the first derivative, too
# ---------------------------------
# ``torch.func.grad`` becomes a part of the compiled graph, and ``backward()`` goes
# through it once. So the forces of a potential, and losses of them, can be compiled.
# ``torch.autograd.grad`` inside the compiled function is no cure: it raises the same
# error, or ``This backward function was compiled with non-empty donated buffers which
# requires create_graph=False``, which has the same cure here. If that text comes of
# ``retain_graph=True``, see :doc:`compiled_with_non_empty_donated_buffers`.


def slope_of(x):
    return torch.func.grad(lambda x: net(x).square().sum())(x)


compiled_slope = torch.compile(slope_of, backend="aot_eager")
found = gradient(compiled_slope(x).square().mean())
print(torch.allclose(found, right))
assert torch.allclose(found, right)
compiled_penalty = torch.compile(lambda: penalty(net), backend="aot_eager")
try:
    compiled_penalty().backward()
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("autograd.grad was compiled")
both = "does not currently support double backward", "non-empty donated buffers"
assert any(text in message for text in both)

# %%
# Don't look for a way to silence the error. Before it was there, the second derivatives
# were wrong without an error (`pytorch 91469
# <https://github.com/pytorch/pytorch/issues/91469>`__, not run), and for some functions
# they were wrong up to 2026 (`pytorch 181581
# <https://github.com/pytorch/pytorch/issues/181581>`__, not run). Compare with the
# uncompiled function once.
#
# Read on: :doc:`/gallery/beyond/complex_and_double_backward`,
# :doc:`/gallery/beyond/compile_trace_export`.
