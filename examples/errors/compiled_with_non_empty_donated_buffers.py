"""
``This backward function was compiled with non-empty donated buffers``
======================================================================

What ``torch.compile`` has compiled overwrites its saved activations in ``backward()``,
so ``retain_graph=True`` is refused. Add the losses and call ``backward()`` once. Or set
``torch._functorch.config.donated_buffer = False`` before the model is compiled.
"""

# %%
import torch
from torch import nn
from torch._functorch import config

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 2))
compiled, x = torch.compile(net, backend="aot_eager"), torch.ones(3, 2)
compiled(x).sum().backward()
try:
    # Wrong: one backward() for each loss.
    first, second = compiled(x).sum(0)
    first.backward(retain_graph=True)
    second.backward()
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("the graph was kept")
# Right: one backward() for their sum.
net.zero_grad()
first, second = compiled(x).sum(0)
(first + second).backward()

# %%
# ``aot_eager`` stands for the default backend here, ``inductor``, which reuses the
# memory in fact and needs a C++ compiler. ``backend="eager"`` donates nothing.
right = net[0].weight.grad
print(right.shape)
assert right.any()

# %%
# I need retain_graph=True
# ------------------------
# Two losses with one gradient each (GradNorm, PCGrad, the adaptive weight of VQGAN), a
# Jacobian row by row, or the backward pass of an equilibrium model (DEQ, phantom
# gradient), which calls ``autograd.grad`` in a loop over one graph. Then switch the
# donation off, at the top of the script, which costs memory. What has been compiled
# before keeps its code, so call ``torch._dynamo.reset()`` if the model has run already.
# Or leave out ``torch.compile`` for the part that is walked twice, for one call with
# ``torch.compiler.set_stance("force_eager")``.


def each_loss():
    net.zero_grad()
    first, second = compiled(x).sum(0)
    first.backward(retain_graph=True)
    second.backward()
    return net[0].weight.grad


with torch.compiler.set_stance("force_eager"):
    assert each_loss().allclose(right)
torch._dynamo.reset()
with config.patch(donated_buffer=False):
    compiled(x).sum().backward()
    print(each_loss().allclose(right))
    assert each_loss().allclose(right)

# %%
# The first steps work, and a later one raises
# --------------------------------------------
# Ordinary steps donate and work. The first one that keeps the graph raises, such as the
# step in which an adaptive weight begins. It may be accepted if the very first
# ``backward()`` keeps the graph, as the backward pass is compiled then. Don't rely on
# it, use the option.
#
# ``create_graph=True`` is named in the message, too. Switching the donation off does
# not help there: a second derivative of compiled code raises another error, whose page
# has the cures: :doc:`aot_autograd_does_not_currently_support_double_backward`.
torch._dynamo.reset()
with config.patch(donated_buffer=False):
    inputs = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(compiled(inputs).sum(), inputs, create_graph=True)
    try:
        slope.square().sum().backward()
    except RuntimeError as error:
        message = str(error)
    else:
        raise AssertionError("compiled code was differentiated twice")
print(message)
assert "does not currently support double backward" in message

# %%
# Buffers are donated by default since `a change at the end of 2024
# <https://github.com/pytorch/pytorch/pull/139669>`__ (read). The case of an equilibrium
# model is `torchdeq 11 <https://github.com/locuslab/torchdeq/issues/11>`__ (not run).
#
# Read on: :doc:`/gallery/graph/backward_twice`,
# :doc:`/gallery/beyond/compile_trace_export`.
