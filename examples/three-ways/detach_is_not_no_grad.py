"""
detach() is not no_grad(): detach the input, and the layer still trains
=======================================================================

``detach()`` cuts one tensor. ``no_grad()`` switches off recording for all operations in
its block, also for those with the layer's own weights. If a layer must train and the
layers before it must not, detach its input.
"""

# %%
import torch

layer = torch.nn.Linear(2, 2)
x = torch.tensor([1.0, 2.0], requires_grad=True)
with torch.no_grad():
    wrong = layer(x)
right = layer(x.detach())
print(wrong.requires_grad, right.requires_grad)
right.sum().backward()
print(layer.weight.grad, x.grad)
assert not wrong.requires_grad
assert layer.weight.grad.tolist() == [[1.0, 2.0], [1.0, 2.0]]
assert x.grad is None

# %%
# no_grad() on an encoder blocks the gradient to its input
# --------------------------------------------------------
# Neither of the two is right if the input is to be optimised through a frozen encoder:
# an adversarial example, a prompt, an image. Remove ``no_grad()``, or the decorator
# ``@torch.no_grad()`` of its ``forward()``, and freeze the weights with
# ``requires_grad_(False)``. The weights stay as they are, and the gradient goes through
# to the input. The price is memory, as the activations of the encoder are saved. So
# keep ``no_grad()`` where nothing before the encoder needs a gradient.
encoder = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.Tanh())
encoder.requires_grad_(False)
image = torch.ones(1, 2, requires_grad=True)
with torch.no_grad():
    blocked = encoder(image)
encoder(image).sum().backward()
print(blocked.requires_grad, image.grad is not None)
assert not blocked.requires_grad
assert image.grad is not None
assert all(parameter.grad is None for parameter in encoder.parameters())

# %%
# Layer-wise training: each layer has its own loss (Forward-Forward)
# ------------------------------------------------------------------
# Forward-Forward code calls ``loss.backward()`` in each layer, and yet nothing is
# propagated back through the network. The layer reads the *detached* output of the
# layer before, and the loss is computed from its own output. So ``backward()`` ends at
# the input of the layer: it is the derivative of one layer. Without ``detach()``, the
# losses of all later layers reach the first one, too. (Under ``no_grad()`` no layer
# would learn.) Each layer may have an optimizer of its own.
stack = [torch.nn.Linear(2, 2) for _ in range(3)]


def goodness_loss(out):
    return (out.square().mean() - 2).square()


def layer_gradients(*, local):
    hidden, losses = torch.ones(4, 2), []
    for member in stack:
        member.zero_grad()
        hidden = member(hidden.detach() if local else hidden).tanh()
        losses.append(goodness_loss(hidden))
        if local:
            losses[-1].backward()  # this layer alone; its optimizer may step here
    if not local:
        sum(losses).backward()
    return [member.weight.grad.clone() for member in stack]


alone, together = layer_gradients(local=True), layer_gradients(local=False)
same = [one.allclose(other) for one, other in zip(alone, together, strict=True)]
print("same gradient:", same)
assert same == [False, False, True]
assert all(gradient.any() for gradient in alone)

# %%
# Where do they agree?
# --------------------
# Two of three terms are cut, once with each of the two, and the gradient is the same. A
# layer whose *output* is detached gets no gradient, as under ``no_grad()``.
y1 = x**2
y2 = y1 * 2
y3 = x**5
y2 = y2.detach()
y3 = y3.detach()
y4 = y1 + y2 + y3
print(y1, y1.requires_grad)
print(y2, y2.requires_grad)
print(y3, y3.requires_grad)
print(y4, y4.requires_grad)
y4.backward(torch.ones(y4.shape))
print(x.grad)

y1 = x**2
with torch.no_grad():
    y2 = y1 * 2
    y3 = x**5
(gradient,) = torch.autograd.grad((y1 + y2 + y3).sum(), x)
assert gradient.equal(x.grad)
assert not layer(x).detach().requires_grad

# %% tags=["hide-input"]
# Does it save memory?
# --------------------
# Both can. ``a`` has three layers, and then ``b`` has two. How many activations has
# autograd saved at the peak of a training step? And when the two are swapped?
from weakref import WeakSet

from torch import nn
from torch.autograd import graph

layers = [module for _ in range(5) for module in (nn.Linear(2, 2), nn.Tanh())]
a, b = nn.Sequential(*layers[:6]), nn.Sequential(*layers[6:])


class Saved:
    def __init__(self, tensor):
        # without detach(), a saved result would keep its own graph alive
        self.tensor = tensor.detach()


def peak(step):
    held, counts = WeakSet(), []

    def pack(tensor):
        saved = Saved(tensor)
        if tensor.shape == (4, 2):
            held.add(saved)
        counts.append(len(held))
        return saved

    with graph.saved_tensors_hooks(pack, lambda saved: saved.tensor):
        step(torch.ones(4, 2)).sum().backward()
    return max(counts)


# %%
# Under ``no_grad()`` none is saved in ``a``. With ``detach()`` they are saved while
# ``a`` runs, and freed as soon as nothing holds the undetached result. If ``b`` saves
# more than ``a``, the peak is then as low as under ``no_grad()``. In the second row the
# variable ``h`` holds that result, and no memory is saved. The detached tensor itself
# shares the memory of the original.
def hold(x):
    h = a(x)
    return b(h.detach())


steps = {
    "b(a(x))": lambda x: b(a(x)),
    "h = a(x); b(h.detach())": hold,
    "b(a(x).detach())": lambda x: b(a(x).detach()),
    "no_grad(): a(x)": lambda x: b(torch.no_grad()(a.forward)(x)),
}
peaks = [peak(step) for step in steps.values()]
assert peaks[3] == peak(b)
a, b = b, a
swapped = [peak(step) for step in steps.values()]
for way, *both in zip(steps, peaks, swapped, strict=True):
    print(f"{way:23}", *both)
uncut, held, detached, not_recorded = peaks
assert uncut == held > detached > not_recorded
assert swapped[0] == swapped[1] > swapped[2] == swapped[3]
assert x.detach().data_ptr() == x.data_ptr()

# %%
# What does forward mode see?
# ---------------------------
# ``detach()`` drops the tangent (:torch:`torch.Tensor.detach`). ``no_grad()`` does not
# apply to forward mode (:torch:`torch.no_grad`).
from torch.autograd import forward_ad

with forward_ad.dual_level():
    dual = forward_ad.make_dual(torch.ones(2), torch.full((2,), 7.0))
    tangent = forward_ad.unpack_dual((dual * 2).detach()).tangent
    with torch.no_grad():
        tangent_no_grad = forward_ad.unpack_dual(dual * 2).tangent
print(tangent, tangent_no_grad)
assert tangent is None
assert tangent_no_grad.tolist() == [14.0, 14.0]

# %%
# How far does it reach?
# ----------------------
# ``detach()`` affects one tensor. ``no_grad()`` affects everything that its thread runs
# until the block ends. A thread that you start begins with recording switched on.
from concurrent.futures import ThreadPoolExecutor

with torch.no_grad(), ThreadPoolExecutor(1) as other_thread:
    here = x * 2
    elsewhere = other_thread.submit(lambda: x * 2).result()
assert elsewhere.requires_grad
assert not here.requires_grad

# %% tags=["hide-input"]
# Square: present. Cross: absent. ``saved`` is what autograd saved while ``a`` ran,
# ``tangent`` what forward mode sees. Of these four, ``x.grad`` is the same for both.
import matplotlib.pyplot as plt

square = {"marker": "s", "fc": "none", "ec": "C0"}
cross = {"marker": "x", "c": "C2"}
_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
for fact, with_detach, with_no_grad in [
    ("x.grad", True, gradient.equal(x.grad)),
    ("layer.weight.grad", right.requires_grad, wrong.requires_grad),
    ("saved", detached > not_recorded, False),
    ("tangent", tangent is not None, tangent_no_grad is not None),
]:
    ax.scatter("detach()", fact, s=300, lw=2, **square if with_detach else cross)
    ax.scatter("no_grad()", fact, s=300, lw=2, **square if with_no_grad else cross)
ax.margins(0.5, 0.2)
ax.invert_yaxis()
plt.show()


# %%
# Where it ends
# -------------
# - ``enable_grad()`` inside the block records until it ends.
# - A generator that yields inside the block leaves recording off for its caller.
def batches():
    with torch.no_grad():
        yield torch.ones(2)


with torch.no_grad(), torch.enable_grad():
    assert (x * 2).requires_grad
for batch in batches():
    assert not (x * batch).requires_grad

# %%
# Detach the tensor through which no gradient may pass. Use ``no_grad()`` where nothing
# needs a gradient at all.
#
# Related: :doc:`no_grad_stops_recording`, :doc:`detach_cuts_one_tensor`,
# :doc:`which_one_do_i_need`.
