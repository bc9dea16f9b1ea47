"""
Trying to backward through the graph a second time
==================================================

A backward frees the tensors that its part of the graph has saved. Add the losses that
share a forward. ``detach()`` a state that is carried from one step to the next.
"""

# %%
# Two losses share a forward. The first backward frees what the second one needs.
import torch
from torch import nn

model, x = nn.Linear(2, 2), torch.ones(1, 2)
features = model(x).exp()
features.sum().backward()
try:
    features.mean().backward()
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("the graph was still there")
features = model(x).exp()
(features.sum() + features.mean()).backward()

# %%
# If you need two backward passes, keep the graph in the first one. That is what
# ``retain_graph`` is for. The gradients are the same.
model.zero_grad()
features = model(x).exp()
(features.sum() + features.mean()).backward()
added = model.weight.grad.clone()
model.zero_grad()
features = model(x).exp()
features.sum().backward(retain_graph=True)
features.mean().backward()
assert model.weight.grad.allclose(added)

# %%
# One ``backward(retain_graph=True)`` per step: what for, and does the memory explode?
# ------------------------------------------------------------------------------------
# If your step has one forward and one ``backward()``, delete ``retain_graph=True``: it
# changes no gradient. With it the saved tensors live until the last reference to the
# graph is gone, mostly until ``loss`` gets its next value, that is through the forward
# of the next step. So the peak is higher, by up to the saved tensors of one step, but
# it does not grow. It grows from step to step if something keeps the graphs: a list of
# losses, or a state that is carried along, as in the next section.
import gradguide

deep = nn.Sequential(*[nn.Linear(64, 64), nn.Tanh()] * 4)
kept, gradients, history = {}, [], []
for retain in (False, True):
    for _ in range(3):
        deep.zero_grad()
        loss = deep(torch.ones(64, 64)).square().mean()
        loss.backward(retain_graph=retain)
        kept.setdefault(retain, []).append(gradguide.saved(loss, deep).bytes // 1024)
        if retain:
            history.append(loss)
    gradients.append(deep[0].weight.grad.clone())
kept["a list"] = gradguide.saved(history, deep).bytes // 1024
print(kept, "KiB")
assert gradients[0].equal(gradients[1])
assert kept[False] == [0, 0, 0]
assert kept[True][0] == kept[True][-1] > 0
assert kept["a list"] > 2 * kept[True][0]

# %%
# The same error, in the second step of a loop
# --------------------------------------------
# Here a state is carried along, such as a hidden state or a running average. Through
# it, the second loss depends on the first step, whose graph has been freed.
# ``detach()`` it between the steps.


def steps(carry, retain_graph=None):
    state, losses = torch.zeros(1, 2), []
    for _ in range(6):
        state = (carry(state) + model(x)).tanh()
        losses.append(state.sum())
        losses[-1].backward(retain_graph=retain_graph)
    return losses


try:
    steps(lambda state: state)
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("the second step did not reach the first")
detached = steps(lambda state: state.detach())
assert len(detached) == 6

# %%
# With ``retain_graph=True`` the error goes away as well. But each step goes back
# through all steps before it, and their graphs stay in memory.


def nodes(tensor):
    seen, todo = set(), [tensor.grad_fn]
    while todo:
        node = todo.pop()
        if node is not None and node not in seen:
            seen.add(node)
            todo += [parent for parent, _ in node.next_functions]
    return len(seen)


retained = steps(lambda state: state, retain_graph=True)
sizes = {
    "state.detach()": [nodes(loss) for loss in detached],
    "retain_graph=True": [nodes(loss) for loss in retained],
}
print(sizes)
assert len(set(sizes["state.detach()"])) == 1
assert sizes["retain_graph=True"] == sorted(set(sizes["retain_graph=True"]))

# %% tags=["hide-input"]
# The number of nodes in the graph of each loss: it grows with ``retain_graph=True``
# (dashed), and stays the same with ``detach()`` (solid).
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
for (label, size), look in zip(sizes.items(), ["s-C0", "x--C2"], strict=True):
    ax.plot(range(1, 7), size, look, mfc="none", label=label)
ax.set(xlabel="step()", ylabel="len(nodes)", ylim=0)
ax.legend()
plt.show()

# %%
# If an optimizer steps in between, the old graph needs the old weights, and with most
# optimizers you get the next error (:doc:`inplace_modified`). With ``fused=True`` you
# get none, and the gradient is wrong: the write to the weights is not counted.


def second_gradient(fused):
    torch.manual_seed(0)
    model, x = nn.Linear(2, 1), torch.ones(1, 2, requires_grad=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, fused=fused)
    loss = model(x).sum()
    (before,) = torch.autograd.grad(loss, x, retain_graph=True)
    loss.backward(retain_graph=True)
    optimizer.step()
    (after,) = torch.autograd.grad(loss, x)
    return (after - before).abs().max().item()


try:
    second_gradient(fused=False)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("step() did not write to the weights")
assert "modified by an inplace operation" in message
print(f"{second_gradient(fused=True):.2f}")
assert second_gradient(fused=True) > 0.05

# %%
# Which old graph is it? A sum of losses, a weight from __init__, stored features
# -------------------------------------------------------------------------------
# The loss leads into a graph that an earlier ``backward()`` has passed. Look for a
# tensor that this step reads, that was computed before it, and that has a ``grad_fn``:
# print it for the arguments of the step and the attributes of your modules. The cure
# depends on what it is:
#
# - *The sum of all losses*, ``total += loss`` and then ``total.backward()``: call
#   ``loss.backward()``, and add ``loss.item()``.
# - *A weight that was computed in* ``__init__``, such as
#   ``self.scale = softplus(self.raw)`` or a normalised matrix: compute it in
#   ``forward()``.
# - *A memory*, such as a queue of features, a replay buffer or a moving average: store
#   ``key.detach()``.
# - *Features of another network*, such as the text embeddings of the classes or
#   prototypes: compute them in each step if that network trains, and once, under
#   ``no_grad()``, if it is frozen.
import re

from torch.nn import functional

raw = nn.Parameter(torch.ones(2))
losses, queue, scale = [], [], functional.softplus(raw)


def sum_of_losses():
    losses.append(raw.exp().sum())
    sum(losses).backward()


def sum_of_numbers():
    loss = raw.exp().sum()
    loss.backward()
    losses.append(loss.item())


def remember(stored):
    key = raw.exp()
    (key + sum(queue)).sum().backward()
    queue.append(stored(key))


steps_of = {
    "total += loss": (sum_of_losses, sum_of_numbers),
    "self.scale": (
        lambda: (x * scale).sum().backward(),
        lambda: (x * functional.softplus(raw)).sum().backward(),
    ),
    "a queue": (lambda: remember(lambda key: key), lambda: remember(torch.detach)),
}
for name, pair in steps_of.items():
    outcomes = []
    for step in pair:
        losses.clear()
        queue.clear()
        try:
            for _ in range(3):
                step()
        except RuntimeError as error:
            outcomes.append(str(error)[:48])
        else:
            outcomes.append("right")
    print(f"{name:14} {outcomes}")
    assert outcomes == ["Trying to backward through the graph a second ti", "right"]

# %%
# BatchNorm written by hand, a moving average in ``forward()``: the same error
# ----------------------------------------------------------------------------
# Make the moving mean and variance buffers, and update them under ``no_grad()``.
# ``self.mean = 0.9 * self.mean + 0.1 * mean`` hangs the graph of each batch on the next
# one. In training mode this raises nothing, because the output is computed from the
# batch. It raises at the first ``backward()`` through a moving average: after an
# ``eval()`` without a ``train()`` behind it (then the first epoch runs, and the second
# fails), or where you keep the layer in ``eval()`` to freeze it. With
# ``retain_graph=True`` in each step, the next error follows,
# ``modified by an inplace operation``. Any statistic of a batch that is kept needs
# ``no_grad()`` or ``detach()``: the center in DINO, a running maximum, the mean and
# scale of returns.


class Norm(nn.Module):
    def __init__(self, size, *, right):
        super().__init__()
        self.right = right
        for name, start in {"mean": torch.zeros(size), "var": torch.ones(size)}.items():
            if right:
                self.register_buffer(name, start)
            else:
                setattr(self, name, start)

    def forward(self, x):
        mean, var = self.mean, self.var
        if self.training:
            mean, var = x.mean(0), x.var(0, unbiased=False)
            if self.right:
                with torch.no_grad():
                    self.mean.lerp_(mean, 0.1)
                    self.var.lerp_(var, 0.1)
            else:  # wrong: with the graph of the batch
                self.mean = 0.9 * self.mean + 0.1 * mean
                self.var = 0.9 * self.var + 0.1 * var
        return (x - mean) / (var + 1e-5).sqrt()


def epochs(retain_graph=None, *, right):
    net = nn.Sequential(nn.Linear(2, 4), nn.Linear(4, 4), Norm(4, right=right))
    optimizer, done = torch.optim.SGD(net.parameters(), lr=0.1), []
    for mode in (True, False):  # as if train() were forgotten after eval()
        net.train(mode)
        for _ in range(2):
            try:
                optimizer.zero_grad()
                loss = net(torch.randn(8, 2)).exp().mean()
                loss.backward(retain_graph=retain_graph)
                optimizer.step()
                done.append("right")
            except RuntimeError as error:
                done.append(re.search("second time|inplace operation", str(error))[0])
    return done, [name for name in net.state_dict() if name.startswith("2.")]


wrong, retained, right = (
    epochs(right=False),
    epochs(retain_graph=True, right=False),
    epochs(right=True),
)
for name, (done, saved) in {"wrong": wrong, "retain": retained, "right": right}.items():
    print(f"{name:7}{done} in the state_dict: {saved}")
assert wrong == (["right"] * 2 + ["second time"] * 2, [])
assert retained == (["right"] * 2 + ["inplace operation"] * 2, [])
assert right == (["right"] * 4, ["2.mean", "2.var"])

# %% tags=["hide-input"]
# Where it ends
# -------------
# - If no operation has saved a tensor, nothing is freed: the second backward runs, and
#   ``.grad`` holds the gradient twice. So the error may not come until you add a
#   layer.
# - A tensor that a custom function keeps as an attribute is not freed either. Nor are
#   the tensors in a part of the graph that the backward did not pass through.
bias = torch.zeros(1, requires_grad=True)
loss = (bias + 1).sum()
loss.backward()
loss.backward()
assert bias.grad.item() == 2


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.x = x
        return x * x

    @staticmethod
    def backward(ctx, gradient):
        return 2 * ctx.x * gradient


weight = torch.ones(1, requires_grad=True)
loss = Square.apply(weight)
loss.backward()
loss.backward()
assert weight.grad.item() == 2 * 2
hidden = weight + 1
first, second = hidden.exp(), hidden.exp()
first.backward()
second.backward()
assert weight.grad.allclose(4 + 2 * second)

# %%
# One forward, one backward: add the losses. One forward, two backwards:
# ``retain_graph`` for the first. A state between steps: ``detach()``.
#
# Related: :doc:`several_losses`, :doc:`inplace_modified`,
# :doc:`/gallery/recipes/truncated_bptt`,
# :doc:`/gallery/diagnose/where_did_the_memory_go`. Source:
# :torch:`torch.Tensor.backward`.
