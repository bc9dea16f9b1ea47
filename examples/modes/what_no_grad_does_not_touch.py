"""
no_grad() does not freeze parameters and does not reach other threads
=====================================================================

``no_grad()`` keeps the operations of its own thread from being recorded. It freezes
nothing: for that, use ``requires_grad_(False)``. In other threads, enter it again.
"""

# %%
import torch
from torch import nn

x = torch.ones(1, 2)
with torch.no_grad():
    layer = nn.Linear(2, 1)
    print("no_grad:", layer.weight.requires_grad, layer(x).requires_grad)
    assert layer.weight.requires_grad
    assert not layer(x).requires_grad
layer(x).sum().backward()
assert layer.weight.grad.tolist() == [[1.0, 1.0]]

frozen = nn.Linear(2, 1).requires_grad_(False)
print("frozen: ", frozen.weight.requires_grad, frozen(x).requires_grad)
assert not frozen.weight.requires_grad

# %%
# Does a model built under ``no_grad()`` train?
# ---------------------------------------------
# Yes, as ``layer`` did above. Creating a tensor is not an operation that could be
# recorded, and ``nn.Parameter`` requires a gradient by default. Take six tensors before
# the block, inside it and after it: ``no_grad()`` changes one of them, the result of an
# operation in its own thread.
from concurrent.futures import ThreadPoolExecutor

w = torch.ones(2, requires_grad=True)


def requires_grad_of_six():
    with ThreadPoolExecutor(1) as other_thread:
        elsewhere = other_thread.submit(torch.mul, w, 2).result()
    tensors = {
        "w * 2": w * 2,
        "w * 2 in a thread": elsewhere,
        "w": w,
        "ones(requires_grad=True)": torch.ones(2, requires_grad=True),
        "ones.requires_grad_()": torch.ones(2).requires_grad_(),
        "nn.Parameter(ones)": nn.Parameter(torch.ones(2)),
    }
    return {name: tensor.requires_grad for name, tensor in tensors.items()}


flags = {"before": requires_grad_of_six()}
with torch.no_grad():
    flags["no_grad()"] = requires_grad_of_six()
flags["after"] = requires_grad_of_six()
for name, flag in flags["no_grad()"].items():
    print(f"{name:26}{flag}")
assert all([*flags["before"].values(), *flags["after"].values()])
assert [name for name, flag in flags["no_grad()"].items() if not flag] == ["w * 2"]

# %% tags=["hide-input"]
# Each line is a tensor: before the block, inside it (grey) and after it. Solid: it
# requires a gradient. Dashed, with crosses: it does not. One line of six breaks.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
ax.axvspan(1, 2, fc="0.93")
for place, row in enumerate(flags.values()):
    for name, flag in row.items():
        look = "C0-" if flag else "C2--x"
        ax.plot([place, place + 1], [name, name], look, lw=3, ms=9)
ax.set_xticks([0.5, 1.5, 2.5], flags)
ax.invert_yaxis()
plt.show()

# %%
# Inside ``no_grad()``, ``param.grad`` is not None
# ------------------------------------------------
# It is what the last ``backward()`` left there. ``no_grad()`` neither clears nor hides
# it, for the parameters of LoRA as for any other. A forward pass in the block adds
# nothing to it, so an evaluation does not influence the gradients of the training.
# ``zero_grad()`` clears it, in the block as outside.
kept = layer.weight.grad.clone()
with torch.no_grad():
    layer(torch.full((1, 2), 5.0)).sum()
    print(layer.weight.grad)
    assert torch.equal(layer.weight.grad, kept)
    layer.zero_grad()
    print(layer.weight.grad)
    assert layer.weight.grad is None


# %%
# How to switch recording off in a worker thread
# ----------------------------------------------
# Each thread has a mode of its own, and a new Python thread records. So enter the mode
# in the function that the worker runs. It does not leak out: the caller goes on
# recording. ``requires_grad`` belongs to the tensor, so all threads see the same value.
@torch.no_grad()
def evaluate():
    return w * 2


with ThreadPoolExecutor(1) as other_thread:
    assert not other_thread.submit(evaluate).result().requires_grad
    other_thread.submit(torch.set_grad_enabled, False).result()
    assert torch.is_grad_enabled()
    other_thread.submit(w.requires_grad_, False).result()
assert not w.requires_grad

# %%
# Several threads call ``backward()`` on one model: is the gradient right?
# ------------------------------------------------------------------------
# On the CPU, all of them add to the same ``.grad``, so you get the sum over the
# threads, up to rounding, because their order is not fixed. What goes wrong is in
# between: a ``zero_grad()`` or ``step()`` of one thread deletes or applies what another
# one has just added. Let each thread call ``torch.autograd.grad()``, which returns its
# gradients and writes nothing, and add them up and step in one thread. Each thread
# needs a forward of its own: two that share a part of the graph raise ``Trying to
# backward through the graph a second time``, or crash (:torch:`Multithreaded Autograd
# <notes/autograd.html#multithreaded-autograd>`).
model = nn.Linear(1, 1, bias=False)


def add_up(number):
    model(torch.full((1, 1), float(number))).sum().backward()


def return_it(number):
    loss = model(torch.full((1, 1), float(number))).sum()
    return torch.autograd.grad(loss, model.weight)[0].item()


with ThreadPoolExecutor(4) as other_threads:
    list(other_threads.map(add_up, range(1, 9)))
    added = model.weight.grad.item()
    returned = list(other_threads.map(return_it, range(1, 9)))
print(added, returned)
assert added == sum(returned) == 36
assert model.weight.grad.item() == 36

# %%
# Where it ends
# -------------
# Some things go on in the block, in the same thread:
#
# - ``backward()`` runs through a graph recorded before, and fills ``.grad``.
# - ``create_graph=True`` records the backward pass.
# - Code that turns recording on, such as ``enable_grad()`` or ``torch.func.grad``, gets
#   its gradient.
# - A batch norm in training mode updates its statistics, and an embedding with
#   ``max_norm`` its weight.
# - :doc:`A view of a parameter <views_under_no_grad_lie>` has ``requires_grad=True``.
w = torch.ones(2, requires_grad=True)
cube, square = (w**3).sum(), (w**2).sum()
norm, embedding = nn.BatchNorm1d(2), nn.Embedding(3, 2, max_norm=0.1)
before = embedding.weight.tolist()
with torch.no_grad():
    square.backward()
    (gradient,) = torch.autograd.grad(cube, w, create_graph=True)
    of_square = torch.func.grad(lambda v: (v**2).sum())(torch.ones(2))
    with torch.enable_grad():
        assert (w * 2).requires_grad
    norm(torch.ones(4, 2))
    embedding(torch.tensor([0]))
    assert w[:1].requires_grad
assert w.grad.tolist() == of_square.tolist() == [2.0, 2.0]
assert gradient.requires_grad
assert norm.running_mean.tolist() != [0.0, 0.0]
assert embedding.weight.tolist() != before

# %%
# Related: :doc:`no_grad_inference_mode_enable_grad`, :doc:`views_under_no_grad_lie`,
# :doc:`/gallery/three-ways/detach_is_not_no_grad`. Source: :torch:`torch.no_grad`.
