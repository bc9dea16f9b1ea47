"""
requires_grad, detach or no_grad: ask what must still learn
===========================================================

If a layer must not learn and the layers before it must: ``requires_grad_(False)``. If
it must learn and the layers before it must not: ``detach()`` its input. If neither must
learn: ``no_grad()``.
"""

# %%
import torch
from torch import nn

x, a, b, c = torch.ones(4, 2), *(nn.Linear(2, 2) for _ in range(3))
b.requires_grad_(False)  # a and c learn, b does not
c(b(a(x))).sum().backward()
print([layer.weight.grad is not None for layer in (a, b, c)])
nn.ModuleList([a, b, c]).requires_grad_(True).zero_grad()
c(b(a(x).detach())).sum().backward()  # b and c learn, a does not
print([layer.weight.grad is not None for layer in (a, b, c)])
nn.ModuleList([a, b, c]).zero_grad()
with torch.no_grad():
    h = b(a(x))
c(h).sum().backward()  # c learns, a and b do not
print([layer.weight.grad is not None for layer in (a, b, c)])

# %%
# All ways in one table
# ---------------------
# Three parts in a row: ``a``, then ``b`` with a batch norm, then ``c``. Each way is
# tried on ``b``. Which parts get a gradient? How many activations of shape ``(8, 2)``
# does autograd save while ``b`` runs? (After ``b(h).detach()`` they are freed once
# nothing holds ``b(h)``.) Does the running mean of the batch norm move?
from torch.autograd import graph

torch.manual_seed(0)
a, c = nn.Linear(2, 2), nn.Linear(2, 1)
b = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
x = torch.randn(8, 2)


def effect(middle):
    h, mean, saved = a(x), b[1].running_mean.clone(), []
    with graph.saved_tensors_hooks(saved.append, lambda _: None):
        middle(h)  # to count, not to use
    c(middle(h)).square().sum().backward()
    learns = [layer.weight.grad is not None for layer in (a, b[0], c)]
    activations = sum(tensor.shape == h.shape for tensor in saved)
    moves = not b[1].running_mean.equal(mean)
    nn.ModuleList([a, b, c]).train().requires_grad_(True).zero_grad()
    return *learns, activations, moves


table = {
    "b(h)": effect(b),
    "b.requires_grad_(False)": effect(b.requires_grad_(False)),
    "b(h.detach())": effect(lambda h: b(h.detach())),
    "b(h).detach()": effect(lambda h: b(h).detach()),
    "no_grad(): b(h)": effect(torch.no_grad()(b.forward)),  # no_grad as a decorator
    "b.eval()": effect(b.eval()),
}
print(f"{'':23} a.grad b.grad c.grad  saved   mean")
for way, row in table.items():
    print(f"{way:23}", *(f"{cell!s:>6}" for cell in row))
assert table == {
    "b(h)": (True, True, True, 2, True),
    "b.requires_grad_(False)": (True, False, True, 1, True),
    "b(h.detach())": (False, True, True, 2, True),
    "b(h).detach()": (False, False, True, 2, True),
    "no_grad(): b(h)": (False, False, True, 0, True),
    "b.eval()": (True, True, True, 2, False),
}

# %% tags=["hide-input"]
# Learns or moves (open), frozen (hatched), cut off (cross). Running statistics need no
# gradient to move. Of these ways only ``eval()`` stops them, and it freezes no weight.
import matplotlib.pyplot as plt

trains = {"marker": "s", "fc": "none", "ec": "C0"}
frozen = {"marker": "s", "fc": "none", "ec": "C1", "hatch": "//////"}
cut_off = {"marker": "x", "c": "C2"}
_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
for y, (*learns, activations, moves) in enumerate(table.values()):
    for place, got in enumerate(learns):
        look = trains if got else frozen if any(learns[:place]) else cut_off
        ax.scatter(place, y, s=200, lw=2, **look)
    ax.text(3, y, activations, ha="center", va="center")
    ax.scatter(4, y, s=200, lw=2, **trains if moves else frozen)
ax.set_xticks(range(5), ["a", "b", "c", "saved", "mean"])
ax.set_yticks(range(6), table)
ax.tick_params(length=0, labeltop=True, labelbottom=False)
ax.set_frame_on(False)
ax.margins(0.1)
ax.invert_yaxis()
plt.show()

# %%
# Is memory shared, and how is it undone?
# ---------------------------------------
# - ``requires_grad_()`` changes the tensor itself. Set ``requires_grad`` again to undo
#   it.
# - ``detach()`` makes a second tensor on the same memory. The first one still has its
#   record: go on with that.
# - ``no_grad()`` ends with its block. A new result from inside has its own memory, and
#   stays without a record: compute it again outside.
weight, h = b[0].weight, a(x)
assert weight.requires_grad_(False) is weight
assert weight.requires_grad_(True).requires_grad
assert h.detach().data_ptr() == h.data_ptr()
assert h.requires_grad
with torch.no_grad():
    result = b(h)
assert result.data_ptr() != h.data_ptr()
assert not result.requires_grad
assert b(h).requires_grad

# %%
# And ``inference_mode()``, and ``.data``?
# ----------------------------------------
# The first one is a stricter ``no_grad()``: backward can't use a value that was made in
# it (:torch:`torch.autograd.grad_mode.inference_mode`), so the weight of ``c`` can't
# train on it. A ``clone()`` can be used. The second one is a ``detach()``, but autograd
# does not notice writes to its result: the derivative here is 1, ``backward()`` says 0.
with torch.inference_mode():
    result = b(h)
try:
    c(result)
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("c accepted an inference tensor")
assert c(result.clone()).requires_grad
w = torch.zeros(1, requires_grad=True)
y = w.exp()
y.data.zero_()
y.backward()
assert w.grad == 0.0

# %%
# tf.stop_gradient, trainable=False, jax.lax.stop_gradient: what is it in PyTorch?
# --------------------------------------------------------------------------------
# What other libraries call it (read, not run):
#
# - *A value is a constant for the gradient*: ``tf.stop_gradient(x)``,
#   ``jax.lax.stop_gradient(x)``, ``ops.stop_gradient(x)`` of MindSpore. In PyTorch and
#   Paddle: ``x.detach()``.
# - *Weights are frozen*: ``layer.trainable = False`` in Keras, ``p.stop_gradient =
#   True`` in Paddle, ``p.requires_grad = False`` in MindSpore, ``optax.set_to_zero()``
#   for these parameters in JAX. In PyTorch: ``layer.requires_grad_(False)``.
# - *Nothing is recorded*: no ``tf.GradientTape``, ``paddle.no_grad()``. In PyTorch,
#   which records by default: ``torch.no_grad()``.
# - *Dropout and batch norm as in inference*: ``training=False`` in Keras. In PyTorch:
#   ``layer.eval()``.
#
# Two of them have traps. In Keras, a batch norm with ``trainable = False`` also uses
# and keeps its `running statistics
# <https://www.tensorflow.org/api_docs/python/tf/keras/layers/BatchNormalization>`__. In
# PyTorch it does not: call ``eval()``, too. And Paddle's `stop_gradient
# <https://www.paddlepaddle.org.cn/documentation/docs/en/guides/model_convert/convert_from_pytorch/api_difference/composite_implement/torch.Tensor.requires_grad_.html>`__
# is the opposite of ``requires_grad``: ``stop_gradient=False`` means that a gradient is
# computed.
norm = nn.BatchNorm1d(2).requires_grad_(False)  # trainable = False, one half of it
norm(x + 5)
moved = norm.running_mean.clone()
norm.eval()(x + 9)  # the other half
print(moved, norm.running_mean)
assert moved.all()
assert norm.running_mean.equal(moved)

# %%
# I already have no_grad(): do I also need requires_grad_(False), eval() or a filter?
# -----------------------------------------------------------------------------------
# For a backbone that stays frozen, with only the head behind it. What you have, and
# what is left to do:
#
# - ``no_grad()`` around it: its weights get no gradient. ``requires_grad_(False)`` adds
#   nothing to this forward, but it protects the weights in code without ``no_grad()``,
#   and lists of trainable parameters are right (counting, DDP, saving).
# - ``requires_grad_(False)``: nothing is recorded for an input without gradient. Then
#   ``no_grad()`` adds nothing.
# - Only left out of the optimizer: the weights stay, but gradients are computed for
#   them. Freeze, too.
# - ``detach()`` of its output: no gradient either, but all its activations are recorded
#   first. Take ``no_grad()``.
# - Both ``detach()`` and ``no_grad()``: one is enough.
# - The filter for the optimizer, ``filter(lambda p: p.requires_grad, ...)``: PyTorch's
#   optimizers don't need it if the parameters were frozen from the start.
#
# ``eval()`` is needed with each of them, if there is batch norm or dropout. If a layer
# *before* the frozen part trains, only ``requires_grad_(False)`` is right. In the
# table: do the weights stay, is no gradient computed, is nothing saved, is the head
# trained?
frozen_part, top = nn.Linear(2, 2), nn.Linear(2, 1)
WAYS = {
    "no_grad()": torch.no_grad()(frozen_part.forward),
    "requires_grad_(False)": frozen_part,
    "not in the optimizer": frozen_part,
    "detach()": lambda x: frozen_part(x).detach(),
}
answers = {}
for way, forward in WAYS.items():
    frozen_part.requires_grad_(way != "requires_grad_(False)").zero_grad()
    top.zero_grad()
    optimizer = torch.optim.SGD(top.parameters(), lr=0.1)
    weight = frozen_part.weight.detach().clone()
    held = []
    with graph.saved_tensors_hooks(held.append, lambda _: None):
        forward(x)  # to count, not to use
    features = forward(x)
    top(features).sum().backward()
    optimizer.step()
    answers[way] = (
        frozen_part.weight.equal(weight),
        frozen_part.weight.grad is None,
        not held,
        top.weight.grad is not None,
    )
    print(f"{way:22}", *(f"{answer!s:6}" for answer in answers[way]))
assert answers["no_grad()"] == answers["requires_grad_(False)"] == (True,) * 4
assert answers["not in the optimizer"] == (True, False, False, True)
assert answers["detach()"] == (True, True, False, True)

# %%
# Where it ends
# -------------
# - If nothing before ``b`` requires a gradient, autograd saves nothing in a frozen
#   ``b``, as under ``no_grad()``.
# - An inference tensor that backward doesn't need is accepted, as in a sum.
# - A view made under ``no_grad()`` shares memory.
# - A residual path around ``b`` carries the gradient to ``a`` in spite of the cut.
saved = []
with graph.saved_tensors_hooks(saved.append, lambda _: None):
    b.requires_grad_(False)(x)
assert saved == []
(result + w).sum().backward()
assert w.grad == result.numel()
with torch.no_grad():
    assert h[0].data_ptr() == h.data_ptr()
h = a(x)
(h + b(h).detach()).sum().backward()
assert a.weight.grad is not None

# %%
# If the statistics of a batch norm must not change either, call its ``eval()``, and
# again after every ``train()`` of the whole network.
#
# Related: :doc:`through_or_blocked`, :doc:`detach_is_not_no_grad`,
# :doc:`freeze_before_or_after_the_optimizer`, :doc:`/guide/choose`.
