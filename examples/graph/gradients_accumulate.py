"""
Gradients add up: backward() adds to .grad until you call zero_grad()
=====================================================================

Each backward adds to what ``.grad`` of a leaf holds. Call ``optimizer.zero_grad()``
between one ``step()`` and the next backward. It sets ``.grad`` to None, not to zero.
"""

# %%
# Why clear the gradient each time? It grows
# ------------------------------------------
# The derivative of ``x**2`` at 3 is 6. The weight is the same in all six passes.
import torch

x = torch.tensor(3.0, requires_grad=True)
optimizer = torch.optim.SGD([x], lr=0.1)
wrong, right = [], []
for _ in range(3):
    (x**2).backward()
    wrong.append(x.grad.item())
for _ in range(3):
    optimizer.zero_grad()
    (x**2).backward()
    right.append(x.grad.item())
print(wrong, right)
assert wrong == [6, 12, 18]
assert right == [6, 6, 6]

# %% tags=["hide-input"]
# Bars: ``x.grad`` after each of three backward passes, hatched where it adds up, open
# with ``zero_grad()`` before each.
import matplotlib.pyplot as plt
import numpy as np

passes = np.arange(1, 4)
_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
ax.bar(passes - 0.2, wrong, 0.4, fc="none", ec="C2", hatch="//", label="backward()")
ax.bar(passes + 0.2, right, 0.4, fc="none", ec="C0", lw=2, label="zero_grad()")
ax.set(xticks=passes, xlabel="backward()", ylabel="x.grad")
ax.legend()
plt.show()

# %%
# What is the sum good for?
# -------------------------
# It is the gradient of the sum of the losses. So a large batch can be computed in
# parts, one backward for each, with one ``step()`` at the end: gradient accumulation.
# Divide a mean by the number of parts. But a batch norm computes its statistics from
# each part alone.
from functools import partial

x.grad = None
(x**2 + x**2 + x**2).backward()
assert x.grad.item() == wrong[-1]
x.grad = None
batch = torch.tensor([1.0, 2.0, 3.0, 5.0])
for part in batch.chunk(2):
    ((x - part) ** 2).mean().div(2).backward()
(whole,) = torch.autograd.grad(((x - batch) ** 2).mean(), x)
assert x.grad.allclose(whole)
assert not batch.chunk(2)[0].mean().allclose(batch.mean())

# %%
# Must I write loss = loss / accumulation_steps?
# ----------------------------------------------
# If each loss is a mean and the parts are equally large, yes: otherwise the gradient is
# ``accumulation_steps`` times that of the whole batch. There are exceptions:
#
# - *The loss is a sum* (``reduction="sum"``): do not divide.
# - *The parts have different sizes*, as with padded tokens or ``ignore_index``: the
#   mean of the means is not the mean of all. Divide the sum of each part by the number
#   of elements or tokens in all parts.
# - *A library divides*: ``backward()`` of Accelerate and DeepSpeed does, if it was told
#   the number of parts. ``Trainer`` of transformers 5 does too, or hands
#   ``num_items_in_batch``, the number of tokens in all parts, to a loss that takes it:
#   divide a sum by it (read, not run). Do not divide again.
#
# Without the division, SGD steps as with a learning rate ``accumulation_steps`` times
# as large. Adam and AdamW hardly change, because they divide by the size of the
# gradient. But ``clip_grad_norm_()`` then clips more often, and a ``weight_decay`` of
# SGD or Adam, which is added to the gradient, counts for less.
parts = batch[:1], batch[1:]


def gradient(losses):
    x.grad = None
    for loss in losses:
        loss.backward()
    return x.grad.item()


right = gradient([((x - batch) ** 2).mean()])
undivided = gradient(((x - part) ** 2).mean() for part in batch.chunk(2))
of_means = gradient(((x - part) ** 2).mean() / 2 for part in parts)
of_sums = gradient(((x - part) ** 2).sum() / len(batch) for part in parts)
print(f"{right:.2f} {undivided:.2f} {of_means:.2f} {of_sums:.2f}")
assert abs(undivided - 2 * right) < 1e-5
assert abs(of_means - right) > 0.1
assert abs(of_sums - right) < 1e-5
whole = gradient([((x - batch) ** 2).sum()])
in_parts = gradient(((x - part) ** 2).sum() for part in parts)
assert abs(in_parts - whole) < 1e-4


def moved(make_optimizer, scale):
    weight = torch.nn.Parameter(torch.ones(1))
    optimizer = make_optimizer([weight])
    for gradient in (1.0, 0.5, 0.25):
        weight.grad = torch.tensor([gradient * scale])
        optimizer.step()
    return 1 - weight.item()


sgd = partial(torch.optim.SGD, lr=0.1)
adam = partial(torch.optim.Adam, lr=0.1)
adamw = partial(torch.optim.AdamW, lr=0.1, weight_decay=0.1)
assert abs(moved(sgd, 4) / moved(sgd, 1) - 4) < 1e-4
assert abs(moved(adam, 4) / moved(adam, 1) - 1) < 1e-4
assert abs(moved(adamw, 4) / moved(adamw, 1) - 1) < 1e-4
decayed = partial(torch.optim.Adam, lr=0.1, weight_decay=1.0)
assert moved(decayed, 1) > moved(decayed, 4) + 0.001

# %%
# More about unequal parts, and about freezing in between:
# :doc:`/gallery/recipes/freeze_in_gradient_accumulation`.
#
# The sum is written into the tensor that ``.grad`` holds. Keep a value with
# ``x.grad.clone()``, or the next backward changes it.
kept, copy = x.grad, x.grad.clone()
(x**2).backward()
print(kept, copy)
assert kept is x.grad
assert kept.item() == copy.item() + 6

# %%
# Where does ``optimizer.zero_grad()`` belong, before or after ``backward()``?
# ----------------------------------------------------------------------------
# Anywhere between ``step()`` and the next ``backward()``: at the start of the loop,
# directly before ``backward()``, or at the end, after ``step()``. The weights are the
# same. Between ``backward()`` and ``step()`` it deletes the gradient that ``step()``
# needs: nothing trains, and there is no error, unless you use a ``GradScaler``. Without
# it, or with one call per epoch, the gradients of all batches add up. With ``LBFGS`` it
# belongs into the closure, because one ``step()`` calls that several times.


def trained(*order):
    torch.manual_seed(0)
    model, losses = torch.nn.Linear(2, 1), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        for call in order:
            if call == "forward":
                losses.append(model(torch.ones(1, 2)).square().sum())
            elif call == "backward":
                losses[-1].backward()
            else:
                getattr(optimizer, call)()
    return model.weight.tolist()


right, untrained = trained("zero_grad", "forward", "backward", "step"), trained()
kinds = []
for order in (
    ("forward", "zero_grad", "backward", "step"),
    ("forward", "backward", "step", "zero_grad"),
    ("forward", "backward", "zero_grad", "step"),  # wrong: nothing trains
    ("forward", "backward", "step"),  # wrong: the gradients add up
):
    weight = trained(*order)
    kinds.append((weight == right, weight == untrained))
    print(*order, "right:", kinds[-1][0], "untrained:", kinds[-1][1])
assert kinds == [(True, False), (True, False), (False, True), (False, False)]


def error_of_lbfgs(*, in_closure):
    weight = torch.nn.Parameter(torch.tensor([3.0, 4.0]))
    optimizer = torch.optim.LBFGS([weight], max_iter=5)

    def closure():
        if in_closure:
            optimizer.zero_grad()
        loss = (torch.tensor([1.0, 10.0]) * (weight - 1).square()).sum()
        loss.backward()
        return loss

    for _ in range(3):
        optimizer.zero_grad()
        optimizer.step(closure)
    return (weight - 1).abs().max().item()


assert error_of_lbfgs(in_closure=True) < 0.001
assert error_of_lbfgs(in_closure=False) > 1

# %%
# This code has no ``optimizer.zero_grad()`` and is right: why does mine get worse?
# ---------------------------------------------------------------------------------
# Yours steps with the sum of all gradients since the start. That is momentum which
# forgets nothing: the steps grow and overshoot. An easy task may be learned all the
# same; on another, the accuracy may fall to that of guessing. Code without the call
# clears in another place, or has nothing to clear:
#
# - a helper does it: ``Trainer``, a ``train_step()``, ``fit()``, ``model.zero_grad()``,
# - a hand-written ``sgd()`` ends with ``param.grad.zero_()``, or sets None,
# - ``torch.autograd.grad()`` returns the gradient and adds nothing to ``.grad``,
# - it is another framework: TensorFlow and JAX return gradients, and `MXNet
#   <https://mxnet.apache.org/versions/master/api/python/docs/api/gluon/parameter.html>`__
#   overwrites them by default (``grad_req='write'``; read, not run).
#
# Copied into a loop that calls ``backward()`` and ``step()``, such code lacks one line.
# Below, a weight should go from 0 to 3. How far away it is after 50 steps or more:


def farthest(way):
    weight, away = torch.zeros(1, requires_grad=True), []
    for _ in range(60):
        loss = (weight - 3).square().sum()
        if way == "autograd.grad()":
            (gradient,) = torch.autograd.grad(loss, weight)
        else:
            loss.backward()
            gradient = weight.grad
        with torch.no_grad():
            weight -= 0.1 * gradient
        if way == "param.grad.zero_()":
            gradient.zero_()
        away.append(abs(weight.item() - 3))
    return max(away[50:])


distances = {}
for way in ("param.grad.zero_()", "autograd.grad()", "never cleared"):
    distances[way] = farthest(way)
    print(f"{way:20}{distances[way]:.2f}")
assert distances["never cleared"] > 2
assert distances["param.grad.zero_()"] == distances["autograd.grad()"] < 0.01

# %%
# ``model.zero_grad()`` or ``optimizer.zero_grad()``?
# ---------------------------------------------------
# They do the same if the optimizer holds all parameters of the model and no others.
# ``model.zero_grad()`` also clears what is in no optimizer or in another one.
# ``optimizer.zero_grad()`` also clears parameters outside the model, such as those of a
# loss. With one optimizer for each part of a model, call it on each of them.
network = torch.nn.ModuleDict(
    {"backbone": torch.nn.Linear(2, 2), "head": torch.nn.Linear(2, 1)}
)
temperature = torch.nn.Parameter(torch.ones(()))
held = torch.optim.SGD([*network["head"].parameters(), temperature], lr=0.1)
parts = [network["backbone"].weight, network["head"].weight, temperature]
cleared = {}
for name, clear in {"model": network.zero_grad, "optimizer": held.zero_grad}.items():
    hidden = network["backbone"](torch.ones(1, 2))
    (network["head"](hidden) / temperature).sum().backward()
    clear()
    cleared[name] = [part.grad is None for part in parts]
    print(f"{name + '.zero_grad()':22} backbone, head, loss:", cleared[name])
assert cleared["model"] == [True, True, False]
assert cleared["optimizer"] == [False, True, True]

# %%
# Does zero_grad() set the gradient to zero?
# ------------------------------------------
# It did before PyTorch 2.0. Now ``zero_grad()`` of an optimizer or a module sets
# ``.grad`` to None. Code that reads ``.grad`` after it, say to compute a norm, finds
# None. The difference matters: by weight decay or momentum, a gradient of zero can
# still move a weight (:doc:`zero_is_not_none`).
layer = torch.nn.Linear(1, 1)
optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
layer(torch.ones(1, 1)).sum().backward()
optimizer.zero_grad()
print(layer.weight.grad)
assert layer.weight.grad is None
layer(torch.ones(1, 1)).sum().backward()
layer.zero_grad()
assert layer.weight.grad is None
layer(torch.ones(1, 1)).sum().backward()
optimizer.zero_grad(set_to_none=False)
print(layer.weight.grad)
assert layer.weight.grad.item() == 0

# %%
# Where do I read the gradient?
# -----------------------------
# Between ``backward()`` and ``zero_grad()``, best before ``step()``. After
# ``zero_grad()``, ``.grad`` is None, which does not mean that the graph is cut. If a
# trainer runs the loop, use a hook: ``backward()`` calls it as soon as ``.grad`` holds
# the gradient. In MMEngine, ``update_params()`` of the `OptimWrapper
# <https://mmengine.readthedocs.io/en/latest/api/generated/mmengine.optim.OptimWrapper.html>`__
# calls all three, so after it is too late (read, not run).
#
# ``clip_grad_norm_()`` belongs in the same place: after the last ``backward()`` of a
# step and before ``step()``, and with a ``GradScaler`` after ``unscale_()``:
# :doc:`/reference/errors/unscale_has_already_been_called_on_this_optimizer`.
optimizer.zero_grad()
values = []
handle = layer.weight.register_post_accumulate_grad_hook(
    lambda weight: values.append(weight.grad.item())
)
layer(torch.full((1, 1), 4.0)).sum().backward()
between = layer.weight.grad.item()
optimizer.step()
optimizer.zero_grad()
handle.remove()
print(values, between, layer.weight.grad)
assert values == [between] == [4]
assert layer.weight.grad is None

# %%
# Save the gradient of each step: all entries of my list are the same
# -------------------------------------------------------------------
# ``history.append(p.grad)`` stores the tensor, not its values, and the next
# ``backward()`` adds to this same tensor. So does clipping, which scales it. Append a
# copy: ``p.grad.clone()``, or ``p.grad.norm().item()`` if you want to plot it, and take
# it before ``zero_grad()``. With ``zero_grad()`` in each step there is a new tensor in
# each, because it sets None. With ``set_to_none=False``, or while gradients are
# accumulated, it is the same one. ``p.data`` and ``state_dict()`` are references in the
# same way: ``step()`` writes to them.
weight, history = torch.ones(1, requires_grad=True), {"grad": [], "clone()": []}
for number in (1.0, 2.0, 3.0):
    if weight.grad is not None:
        weight.grad.zero_()
    (number * weight).sum().backward()
    history["grad"].append(weight.grad)
    history["clone()"].append(weight.grad.clone())
for name, kept in history.items():
    print(f"{name:8}", [gradient.item() for gradient in kept])
assert [gradient.item() for gradient in history["grad"]] == [3, 3, 3]
assert [gradient.item() for gradient in history["clone()"]] == [1, 2, 3]

# %% tags=["hide-input"]
# Where it ends
# -------------
# - ``zero_grad()`` of an optimizer clears the parameters that this optimizer holds. A
#   part that was left out of it keeps its old gradient.
# - With ``create_graph=True``, the sum is a new tensor. The same is true for a result
#   that retains its gradient, and for the sum of a dense and a sparse gradient.
# - In one ``step()``, LBFGS may call its closure many times, so ``zero_grad()`` belongs
#   in the closure.
import warnings

left_out = torch.nn.Linear(1, 1)
left_out(layer(torch.ones(1, 1))).sum().backward()
optimizer.zero_grad()
assert layer.weight.grad is None
assert left_out.weight.grad is not None

x.grad = torch.tensor(6.0)
kept = x.grad
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    (x**2).backward(create_graph=True)
assert (kept.item(), x.grad.item()) == (6, 12)
result = x * 2
result.retain_grad()
result.backward(retain_graph=True)
kept = result.grad
result.backward()
assert (kept.item(), result.grad.item()) == (1, 2)
table = torch.ones(3, 2, requires_grad=True)
torch.nn.functional.embedding(torch.tensor([0]), table, sparse=True).sum().backward()
kept = table.grad
table.sum().backward()
assert kept.is_sparse
assert not table.grad.is_sparse

point, losses = torch.tensor([3.0], requires_grad=True), []
optimizer = torch.optim.LBFGS([point], lr=0.1)


def closure():
    optimizer.zero_grad()
    losses.append((point**4).sum())
    losses[-1].backward()
    return losses[-1]


optimizer.step(closure)
assert len(losses) > 1

# %%
# Apart from that, call ``zero_grad()`` once for each ``step()``, and not between the
# passes that you want to add up.
#
# Related: :doc:`several_losses`, :doc:`zero_is_not_none`, :doc:`leaf_or_not`,
# :doc:`/gallery/diagnose/why_is_my_gradient_none`. Source:
# :torch:`torch.optim.Optimizer.zero_grad`.
