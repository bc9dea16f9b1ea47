"""
Autograd records what requires a gradient, and fills .grad of leaves
====================================================================

``requires_grad=True`` makes autograd record what you compute with a tensor. Then
``backward()`` adds to the ``.grad`` of a leaf if the leaf requires a gradient and the
record leads to it. Otherwise ``.grad`` stays as it was: None at first.
"""

# %%
import torch

x = torch.tensor([1.0, 2.0], requires_grad=True)
y = torch.tensor([3.0, 4.0])  # requires_grad is False by default
y1 = 2.0 * x + 2.0 * y
y1.backward(torch.tensor([1.0, 1.0]))
print(x.grad)
print(y.grad)
assert x.grad.tolist() == [2.0, 2.0]
assert y.grad is None

# %%
# One input is enough to start recording
# --------------------------------------
# ``x`` requires a gradient, ``y`` does not. ``y1``, computed from both, requires one
# all the same, and its ``grad_fn`` is the record of how it was made.
#
# A differentiable operation is recorded when at least one of its inputs requires a
# gradient (:torch:`Autograd mechanics <notes/autograd.html#setting-requires-grad>`).
# ``2.0 * x`` is recorded, ``2.0 * y`` is not. Together these records are the
# *computational graph*.
x = torch.tensor([1.0, 2.0])
print(x.requires_grad)
assert not x.requires_grad
x = torch.tensor([1.0, 2.0], requires_grad=True)
y = torch.tensor([3.0, 4.0], requires_grad=False)
y1 = 2.0 * x + 2.0 * y
print(x, x.requires_grad)
print(y, y.requires_grad)
print(y1, y1.requires_grad)
assert y1.requires_grad
assert (2.0 * x).grad_fn is not None
assert (2.0 * y).grad_fn is None

# %%
# Why is ``y.grad`` None after ``backward()``?
# --------------------------------------------
# Because ``y`` doesn't require one. None is not zero: even in a product, where the
# derivative with respect to ``y`` is ``x``, the record of the product leaves it out.
#
# ``y1`` has two elements, so ``backward()`` needs a factor for each: here, two ones.
# ``y1`` is a result, not a leaf (:torch:`torch.Tensor.is_leaf`). Its gradient is passed
# on and not kept.
y1.backward(torch.tensor([1.0, 1.0]))
for_x, for_y = (x * y).grad_fn(torch.tensor([1.0, 1.0]))
assert y.grad is None
assert for_x.equal(y)
assert for_y is None
assert x.is_leaf
assert not y1.is_leaf

# %% tags=["hide-input"]
# The gradient starts at ``y1`` (diamond) and runs back along the record, to ``x``. No
# record leads to ``y`` (hatched).
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
for text, height, look in [
    (f"x.grad = {x.grad.tolist()}", 1, {"ec": "C0"}),
    (f"y.grad = {y.grad}", 0, {"ec": "C1", "hatch": "////"}),
]:
    ax.scatter(0, height, s=1200, marker="s", fc="none", lw=2, **look)
    ax.text(0, height + 0.25, text, ha="center")
ax.scatter(1, 0.5, s=1200, marker="D", fc="none", ec="C3", lw=2)
ax.text(1, 0.8, "y1.backward()", ha="center")
line = {"shrinkA": 24, "shrinkB": 24, "lw": 2}
ax.annotate("", (0, 1), (1, 0.5), arrowprops=line | {"arrowstyle": "->", "ec": "C3"})
ax.annotate("", (0, 0), (1, 0.5), arrowprops=line | {"arrowstyle": "-", "ec": "gray"})
ax.margins(0.35)
ax.axis("off")
plt.show()

# %%
# Do the input and the labels need ``requires_grad=True`` in training?
# --------------------------------------------------------------------
# No. The weights require a gradient, so the output has a graph anyway, and the
# gradients of the weights are the same. With it, ``backward()`` also computes the
# gradient of the input, which costs time and memory: a frozen backbone behind the input
# is then recorded, too. Since PyTorch 0.4, ``Variable(images)`` is not needed, either.
#
# It is needed where the gradient of the input is what you want: a saliency map, an
# adversarial example, a gradient penalty, or the derivative of the output with respect
# to a coordinate, as in a PINN. Call ``requires_grad_()`` on the batch, after
# ``.to(device)`` and before the forward. Token ids are integers, and can't: take the
# output of the embedding, with ``retain_grad()``. If labels require a gradient, the
# loss also trains the network that computed them: detach them, unless you want that.
layer = torch.nn.Linear(1, 1)
images, labels = torch.ones(4, 1), torch.zeros(4, 1)
gradients = []
for needs in (False, True):
    batch = images.clone().requires_grad_(needs)
    layer.zero_grad()
    (layer(batch) - labels).square().mean().backward()
    gradients.append(layer.weight.grad)
    print(f"requires_grad={needs!s:6} batch.grad is not None: {batch.grad is not None}")
    assert (batch.grad is not None) == needs
assert gradients[0].equal(gradients[1])

t = torch.linspace(0, 1, 4).reshape(4, 1).requires_grad_()
u = layer(t).sin()
(u_t,) = torch.autograd.grad(u.sum(), t, create_graph=True)  # du/dt for each row
residual = (u_t + u).square().mean()
layer.zero_grad()
residual.backward()
assert u_t.shape == t.shape
assert layer.weight.grad is not None

# %%
# Grad-CAM: does the output of a layer have ``requires_grad``, if it is not a leaf?
# ---------------------------------------------------------------------------------
# Yes, as soon as one weight or input that it was computed from requires a gradient. The
# image need not. Being a leaf decides whether ``backward()`` fills ``.grad``, but a
# tensor hook gets the gradient of a result as well. So ``output.register_hook(...)``
# works in a model whose weights train, with a plain image.
#
# If the layer and all before it are frozen, the output requires no gradient. Call
# ``image.requires_grad_()`` before the forward: the gradient then passes through the
# frozen layers. Under ``no_grad()`` this does not help: leave it out. A library that
# looks at ``output.requires_grad`` first registers no hook then: no gradient is saved,
# and the map fails later, in `pytorch-grad-cam
# <https://github.com/jacobgil/pytorch-grad-cam/issues/254>`__ (read) with ``axis 2 is
# out of bounds for array of dimension 0``. On a module, ``layer.requires_grad = True``
# changes no parameter. :doc:`/reference/errors/cannot_register_a_hook_on_a_tensor` has
# a whole Grad-CAM.
conv, classify = torch.nn.Conv2d(1, 2, 3), torch.nn.Linear(2, 3)
picture = torch.ones(1, 1, 5, 5)
hooked = {}
for name, frozen, asks in (
    ("weights train", False, False),
    ("conv frozen", True, False),
    ("conv frozen, image asks", True, True),
):
    conv.requires_grad_(not frozen)
    maps, seen = conv(picture.clone().requires_grad_(asks)), []
    if maps.requires_grad:
        maps.register_hook(seen.append)
    classify(maps.mean((2, 3)))[0, 0].backward()
    hooked[name] = maps.requires_grad, maps.is_leaf, len(seen)
    print(f"{name:24}", *hooked[name])
assert list(hooked.values()) == [(True, False, 1), (False, True, 0), (True, False, 1)]
with torch.no_grad():
    assert not conv(picture.clone().requires_grad_()).requires_grad

# %%
# Where it ends
# -------------
# - Under ``no_grad()``, ``2.0 * x`` is not recorded. Nor are operations that have no
#   derivative: a comparison, ``argmax()``, a conversion to integers.
# - A result keeps its gradient after ``retain_grad()``.
# - A leaf that requires a gradient, but is not in the record, stays at None.
# - An ``nn.Parameter`` requires a gradient by default. But the weight of
#   ``Embedding.from_pretrained`` does not.
# - If you set ``requires_grad`` after a computation, that computation is not recorded.
with torch.no_grad():
    assert (2.0 * x).grad_fn is None
assert all(result.grad_fn is None for result in (x > 0, x.argmax(), x.long()))
unreached = torch.ones(2, requires_grad=True)
y1 = 2.0 * x
y1.retain_grad()
y1.sum().backward()
assert y1.grad.tolist() == [1.0, 1.0]
assert unreached.grad is None
assert torch.nn.Linear(2, 1).weight.requires_grad
assert not torch.nn.Embedding.from_pretrained(torch.ones(2, 2)).weight.requires_grad
late = torch.ones(2)
loss = (x * late).sum()
late.requires_grad_()
loss.backward()
assert late.grad is None

# %%
# Set ``requires_grad`` on what you create, before you compute with it.
#
# Related: :doc:`backward_without_a_graph`, :doc:`filter_parameters_into_the_optimizer`,
# :doc:`through_or_blocked`.
