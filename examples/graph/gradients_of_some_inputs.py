"""
backward(inputs=...) gives no gradient to parameters that you don't name
========================================================================

You don't have to freeze a backbone to leave it out of one backward pass. Name the
parameters of the head in ``backward(inputs=)``, or in ``autograd.grad``, which returns
the gradients.
"""

# %%
# One loss for the head only
# --------------------------
# Each pair says whether the backbone and the head have a gradient. Nothing is frozen.
import torch
from torch import nn

backbone, head = nn.Linear(2, 3), nn.Linear(3, 1)
x = torch.ones(1, 2)
loss = head(backbone(x)).sum()
loss.backward(inputs=list(head.parameters()), retain_graph=True)
one = [layer.weight.grad is not None for layer in (backbone, head)]
loss.backward()
both = [layer.weight.grad is not None for layer in (backbone, head)]
print(one, both)
assert one == [False, True]
assert both == [True, True]

# %%
# ``autograd.grad`` returns the gradients and fills the ``.grad`` of neither layer.
backbone.zero_grad()
head.zero_grad()
gradients = torch.autograd.grad(head(backbone(x)).sum(), list(head.parameters()))
none = [layer.weight.grad is not None for layer in (backbone, head)]
print(len(gradients), none)
assert none == [False, False]

# %% tags=["hide-input"]
# Columns: the two layers. Rows: three ways to ask. A square is a ``.grad`` that was
# filled, a dot one that is still None.
import matplotlib.pyplot as plt

rows = {"backward()": both, "backward(inputs=)": one, "autograd.grad()": none}
columns = ["backbone.weight", "head.weight"]
_, ax = plt.subplots(figsize=(5, 2.8), layout="constrained")
for way, row in rows.items():
    for column, has_grad in zip(columns, row, strict=True):
        look = {"marker": "s", "fc": "none", "ec": "C0"} if has_grad else {"c": "C1"}
        ax.scatter(column, way, s=200 if has_grad else 20, lw=2, **look)
ax.margins(0.3, 0.3)
ax.invert_yaxis()
plt.show()

# %%
# The backward does not go into the backbone: a hook on the features is not called. You
# can name a result, too. Then ``backward(inputs=)`` fills its ``.grad``.
features = backbone(x)
calls = []
features.register_hook(calls.append)
head(features).sum().backward(inputs=list(head.parameters()), retain_graph=True)
assert not calls
assert all(p.grad is None for p in backbone.parameters())
assert all(p.grad is not None for p in head.parameters())
head(features).sum().backward(inputs=[features])
print(features.grad.shape)
assert features.grad.allclose(head.weight)
assert len(calls) == 1

# %%
# Which inputs are an error?
# --------------------------
# An empty list, as from a filter that leaves nothing, and a frozen parameter. Leave out
# what is frozen: ``inputs=[p for p in parameters if p.requires_grad]``.
backbone.weight.requires_grad_(False)
for inputs in ([], [backbone.weight, head.weight]):
    try:
        head(backbone(x)).sum().backward(inputs=inputs)
    except RuntimeError as error:
        print(f"{type(error).__name__}: {error}")
    else:
        raise AssertionError("a frozen parameter got a gradient")
backbone.weight.requires_grad_(True)

# %%
# The differentiated Tensor appears to not have been used in the graph
# --------------------------------------------------------------------
# ``autograd.grad`` raises if the loss does not depend on a tensor that you name.
# ``backward(inputs=)`` does not, and ``.grad`` stays None.
unused = nn.Parameter(torch.ones(1))
head(backbone(x)).sum().backward(inputs=[unused])
assert unused.grad is None
try:
    torch.autograd.grad(head(backbone(x)).sum(), [head.bias, unused])
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("the loss depends on it")

# %%
# With ``allow_unused=True`` you get None in its place, with ``materialize_grads=True``
# zeros. Without ``create_graph``, the zeros require no gradient (:since:`2.10`; before,
# they did).
loss = head(backbone(x)).sum()
asked = [head.bias, unused]
allowed = torch.autograd.grad(loss, asked, allow_unused=True, retain_graph=True)
filled = torch.autograd.grad(loss, asked, materialize_grads=True)
print(allowed, filled)
assert allowed[1] is None
assert filled[1].item() == 0

# %%
# autograd.grad() instead of backward(): how do I step, and what about DDP and AMP?
# ---------------------------------------------------------------------------------
# Assign what it returns to ``.grad``, and call ``step()``. So you can change or combine
# gradients first, as gradient surgery (PCGrad) does. Name only what requires a
# gradient, and pass ``allow_unused=True`` if the loss may not reach all of it: a None
# is skipped by the optimizer. What differs from ``backward()``:
#
# - It does not add to ``.grad``. Add up the parts of a gradient accumulation yourself.
# - The hook ``register_post_accumulate_grad_hook`` does not run, and DDP does not
#   average: :doc:`/gallery/beyond/two_backward_passes_under_ddp`.
# - With a ``GradScaler``, differentiate ``scaler.scale(loss)``. Then ``scaler.step()``
#   divides by the scale as usual, and ``scaler.update()`` follows.
ran, start = [], head.weight.detach().clone()
handle = head.weight.register_post_accumulate_grad_hook(ran.append)
named = [p for p in [*head.parameters(), unused] if p.requires_grad]
optimizer, scaler = torch.optim.SGD(named, lr=0.1), torch.amp.GradScaler("cpu")
loss = head(backbone(x)).sum()
found = torch.autograd.grad(scaler.scale(loss), named, allow_unused=True)
optimizer.zero_grad()
for parameter, gradient in zip(named, found, strict=True):
    parameter.grad = gradient
scaler.step(optimizer)
scaler.update()
handle.remove()
print(unused.grad, ran, head.weight.grad.shape)
torch.testing.assert_close(start - 0.1 * backbone(x), head.weight)
assert not ran
assert unused.item() == 1

# %% tags=["hide-input"]
# Where it ends
# -------------
# - A result that retains its gradient is filled without being named, if the gradient
#   passes through it, and by ``autograd.grad``, too.
# - A function that calls ``backward()`` in its own backward fills the ``.grad`` of what
#   this inner backward reaches.
# - A reentrant checkpoint is such a function. It raises instead if the gradient passes
#   through it. A parameter inside it gets no gradient if you name it: without an error
#   in ``backward(inputs=)``, while ``autograd.grad`` raises. With
#   ``use_reentrant=False`` all of this works.
from torch.utils.checkpoint import checkpoint

for way in (torch.autograd.backward, torch.autograd.grad):
    prediction = head(backbone(x))
    prediction.retain_grad()
    way(prediction.sum(), inputs=[head.weight])
    assert prediction.grad.item() == 1


class Inner(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return backbone(x)

    @staticmethod
    def backward(ctx, gradient):
        with torch.enable_grad():
            inner = ctx.saved_tensors[0].detach().requires_grad_()
            backbone(inner).backward(gradient)
        return inner.grad


backbone.zero_grad()
x.requires_grad_(True)
torch.autograd.grad(head(Inner.apply(x)).sum(), x)
assert backbone.weight.grad is not None

for use_reentrant in (True, False):
    backbone.zero_grad()
    loss = head(checkpoint(backbone, x, use_reentrant=use_reentrant)).sum()
    loss.backward(inputs=[backbone.weight], retain_graph=True)
    assert (backbone.weight.grad is None) == use_reentrant
    try:
        torch.autograd.grad(loss, backbone.weight, retain_graph=True)
        message = ""
    except RuntimeError as error:
        message = str(error)
    assert ("not have been used in the graph" in message) == use_reentrant
    try:
        loss.backward(inputs=[x])
        message = ""
    except RuntimeError as error:
        message = str(error)
    assert ("use_reentrant=True" in message) == use_reentrant

# %%
# Name the inputs if one backward must give a part no gradient, and freeze the part if
# no backward may.
#
# Related: :doc:`the_flag_is_read_twice`, :doc:`retain_grad`,
# :doc:`/gallery/three-ways/detach_in_a_gan`. Sources:
# :torch:`torch.autograd.backward`, :torch:`torch.autograd.grad`.
