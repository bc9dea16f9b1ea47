"""
To update a leaf that requires grad in place, enter no_grad()
=============================================================

With recording on, an in-place update raises an error. ``w = w - lr * w.grad`` raises
none at first, but makes a new tensor, and the next step fails. Write ``w -= ...`` under
``no_grad()``.
"""

# %%
import torch

w = torch.nn.Parameter(torch.tensor([-4.0, 3.0]))
(w**2).sum().backward()
try:
    w -= 0.1 * w.grad
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("a leaf was changed in place, with recording on")
with torch.no_grad():
    w -= 0.1 * w.grad
w.grad = None
print(w)
assert w.is_leaf
assert w.requires_grad

# %%
# Why is "a leaf Variable that requires grad" refused?
# ----------------------------------------------------
# To record a change, autograd would have to make ``w`` the result of an operation. Then
# it would no longer be a leaf, and ``backward()`` would not fill its ``.grad``. So
# autograd refuses. Setting one element changes ``w`` through a view, and fails in the
# same way.
#
# Is the leaf no weight but an input, such as ``inputs_embeds``, into which a model
# writes image features? Then ``no_grad()`` would cut off their gradient. Write into
# ``inputs_embeds.clone()``, as the page of this error shows (:doc:`/reference/errors`).


def loss_of(w):
    return (torch.tensor([0.5, 2.0]) * w**2).sum(-1)


def weight_with_gradient():
    w = torch.nn.Parameter(torch.tensor([-4.0, 3.0]))
    loss_of(w).backward()
    return w


w = weight_with_gradient()
try:
    w[0] = 1.0
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("an element was set, with recording on")
with torch.no_grad():
    w[0] = 1.0
assert w.tolist() == [1.0, 3.0]

# %%
# Why not write w = w - lr * w.grad?
# ----------------------------------
# That makes a new tensor, the result of a subtraction. It is not a leaf, so the next
# ``backward()`` leaves its ``.grad`` at ``None``, and the next step fails.
w = weight_with_gradient()
w = w - 0.4 * w.grad
assert not w.is_leaf
loss_of(w).backward()
try:
    w = w - 0.4 * w.grad
except TypeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("w is still a leaf")
stuck = w.tolist()

# %%
# Under ``no_grad()`` the new tensor is a leaf, but it requires no gradient, and
# ``backward()`` fails. A model or an optimizer still holds the old one.
w = parameter = weight_with_gradient()
with torch.no_grad():
    w = w - 0.4 * w.grad
assert w.is_leaf
assert not w.requires_grad
assert parameter.tolist() == [-4.0, 3.0]
try:
    loss_of(w).backward()
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("w still requires a gradient")

# %%
# What to do
# ----------
# Do both: update under ``no_grad()``, and in place. ``w`` stays the same leaf and the
# update is not recorded. ``step()`` of PyTorch's optimizers runs under ``no_grad()``,
# too (:torch:`Autograd mechanics <notes/autograd.html#no-grad-mode>`). Here the result
# is the same as with ``SGD``. Clear the gradient after each update, or the next one
# adds to it.
w, reference = weight_with_gradient(), weight_with_gradient()
optimizer = torch.optim.SGD([reference], lr=0.4)
path = [w.tolist()]
for _ in range(5):
    with torch.no_grad():
        w -= 0.4 * w.grad
    w.grad = None
    loss_of(w).backward()
    path.append(w.tolist())

    optimizer.step()
    optimizer.zero_grad()
    loss_of(reference).backward()
assert w.is_leaf
assert w.requires_grad
assert torch.allclose(w, reference)

# %% tags=["hide-input"]
# Updated in place, the weight (squares) goes down to the minimum of the loss. With a
# new tensor there is one step, and no second (cross).
import matplotlib.pyplot as plt

grid = torch.linspace(-5, 5, 50)
points = torch.stack(torch.meshgrid(grid, grid, indexing="xy"), dim=-1)
_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
ax.contour(grid, grid, loss_of(points), 8, colors="C1", linestyles=":")
ax.plot(*zip(*path, strict=True), "C0s-", mfc="white", ms=9, mew=2)
ax.plot(*stuck, "C2x", ms=18, mew=4)
ax.set(xlabel="w[0]", ylabel="w[1]", ylim=(-4, 4))
plt.show()

# %%
# Keep weights positive, in a range or of norm 1: ``clamp_()`` after ``step()``
# -----------------------------------------------------------------------------
# ``nn.Parameter`` has no option for a constraint, and no ``register_constraint``.
# Change the weights in place under ``no_grad()``, after each ``optimizer.step()`` and
# before the next forward: ``clamp_(min=0)`` for weights that must not be negative,
# ``clamp_(-0.01, 0.01)`` for the critic of a WGAN, ``div_()`` by the norm for unit
# vectors, ``mul_(mask)`` for entries that stay zero.
#
# Or compute the weight in each forward from a parameter that may have any value:
# ``softplus(raw)`` is positive, ``sigmoid(raw)`` is between 0 and 1,
# ``normalize(raw, dim=1)`` has rows of norm 1. ``parametrize`` does this for the weight
# of a layer. Do not write ``weight.clamp(min=0)`` into the forward: below 0, the
# gradient is zero, and the weight can stay there.
from torch.nn import functional
from torch.nn.utils import parametrize


class Positive(torch.nn.Module):
    def forward(self, raw):
        return functional.softplus(raw)


torch.manual_seed(0)
clamped, computed = torch.nn.Linear(2, 3), torch.nn.Linear(2, 3)
weight = clamped.weight
parametrize.register_parametrization(computed, "weight", Positive())
for layer in (clamped, computed):
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.1)
    for _ in range(30):
        optimizer.zero_grad()
        layer(torch.ones(4, 2)).sum().backward()
        optimizer.step()
        if layer is clamped:
            with torch.no_grad():
                layer.weight.clamp_(min=0)
    print(f"{layer.weight.min().item():.2f}")
assert clamped.weight.min() == 0
assert computed.weight.min() > 0
assert clamped.weight is weight
assert weight.is_leaf

stuck = torch.tensor([-1.0], requires_grad=True)
(stuck.clamp(min=0) - 2).square().sum().backward()
print(stuck.grad)
assert stuck.grad.item() == 0

# %%
# Where it ends
# -------------
# - Update after ``backward()``. An update between the forward and ``backward()`` may
#   overwrite a value that the gradient needs. Under ``no_grad()`` that raises an error.
#   Through ``.data``, or by ``step()`` of an optimizer with ``fused=True``, it is not
#   noticed, and the gradient is wrong: here 2 instead of 4.
# - ``w = w - lr * gradient`` works if the gradient comes from ``torch.autograd.grad``
#   and nothing reads ``w.grad``. The graph then grows with each step, which is what
#   meta-learning needs, to differentiate through the steps.
# - Functions of ``torch.nn.init`` enter ``no_grad()`` themselves.


def by_hand(w):
    with torch.no_grad():
        w.sub_(1)


def by_data(w):
    w.data.sub_(1)


def by_fused_step(w):
    w.grad = torch.ones(1)
    optimizer = torch.optim.SGD([w], lr=1.0, fused=True)
    optimizer.step()
    optimizer.zero_grad()


gradients = {}
for update in (by_hand, by_data, by_fused_step):
    w = torch.nn.Parameter(torch.tensor([2.0]))
    square = w * w
    update(w)
    try:
        square.backward()
    except RuntimeError as error:
        assert update is by_hand
        print(f"{type(error).__name__}: {error}")
    else:
        gradients[update.__name__] = w.grad.item()
assert gradients == {"by_data": 2.0, "by_fused_step": 2.0}

start = w = torch.nn.Parameter(torch.tensor([2.0]))
for _ in range(3):
    (gradient,) = torch.autograd.grad(w**2, w, create_graph=True)
    w = w - 0.1 * gradient
assert torch.autograd.grad(w, start)[0].allclose(torch.tensor(0.8**3))
torch.nn.init.ones_(start)
assert start.is_leaf

# %%
# Related: :doc:`/gallery/three-ways/what_requires_grad_records` on leaves,
# :doc:`/gallery/graph/inplace_modified`, :doc:`views_under_no_grad_lie`,
# :doc:`no_grad_as_decorator`.
