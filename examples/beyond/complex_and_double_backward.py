"""
Gradients of gradients need create_graph=True, complex losses a real part
=========================================================================

A gradient penalty has an effect only if the gradient itself is recorded. And
``backward()`` starts from a real number only.
"""

# %%
# Why does my gradient penalty not train?
# ---------------------------------------
# The gradient that ``autograd.grad`` returns is a constant, unless you say
# ``create_graph=True``.
import torch

x = torch.tensor(2.0, requires_grad=True)
weight = torch.tensor(3.0, requires_grad=True)
(gradient,) = torch.autograd.grad(weight * x.square(), x)
try:
    (gradient - 1).square().backward()
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("the penalty had a graph")

# %%
# With it the penalty reaches the weight. The gradient is ``2wx = 12``, the penalty
# ``(12 - 1)²``, and its derivative by the weight ``2 · 11 · 2x = 88``.
(gradient,) = torch.autograd.grad(weight * x.square(), x, create_graph=True)
(gradient - 1).square().backward()
print(gradient.item(), weight.grad.item())
assert weight.grad == 88

# %%
# In real code the penalty is added to a loss, and that hides the mistake: no error, and
# no effect. The 4 is the gradient of the first term, ``x²``.
weight.grad = None
(constant,) = torch.autograd.grad(weight * x.square(), x)
loss = weight * x.square() + (constant - 1).square()
loss.backward()
assert weight.grad == 4

# %%
# Does no_grad() stop it?
# -----------------------
# A graph that exists can be walked under ``no_grad()``. With ``create_graph=True`` the
# walk is even recorded.
y = x**3
with torch.no_grad():
    (first,) = torch.autograd.grad(y, x, create_graph=True)
print(first.requires_grad)
assert first.requires_grad
assert torch.autograd.grad(first, x)[0] == 12

# %%
# backward(create_graph=True) warns
# ---------------------------------
# It puts a gradient with a graph into ``.grad``, and the parameter and its gradient
# keep each other alive. ``autograd.grad`` returns the gradient instead, so there is no
# such circle.
x.grad = None
(x**3).backward(create_graph=True)
assert x.grad.requires_grad
x.grad = None

# %%
# grad can be implicitly created only for real scalar outputs
# -----------------------------------------------------------
# Of two complex numbers, none is the smaller one, so there is nothing to minimise. Take
# a real quantity: the size, the real part.
z = torch.tensor(1 + 2j, requires_grad=True)
try:
    (z * z).backward()
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("a complex number was minimised")
z.abs().square().backward()
print(z.grad)
assert torch.allclose(z.grad, 2 * z.detach())

# %% tags=["hide-input"]
# The gradient points to where the loss rises fastest, as it does for real numbers.
# Arrows: against the gradient of ``|z|²``, all to zero.
import matplotlib.pyplot as plt

points = torch.complex(*torch.meshgrid(*[torch.linspace(-1, 1, 7)] * 2, indexing="ij"))
points.requires_grad_(True)
(slopes,) = torch.autograd.grad(points.abs().square().sum(), points)
_, ax = plt.subplots(figsize=(4, 3.4), layout="constrained")
at = points.detach()
ax.quiver(at.real, at.imag, -slopes.real, -slopes.imag, color="C0")
ax.plot(0, 0, "C3D", mfc="none", ms=10, mew=2)
ax.set(xlabel="z.real", ylabel="z.imag")
ax.set_aspect("equal")
plt.show()

# %%
# Write ``create_graph=True`` where a gradient goes into a loss, and make the loss a
# real number. Sources: :torch:`torch.autograd.grad`, :torch:`Autograd for complex
# numbers <notes/autograd.html#autograd-for-complex-numbers>`.
#
# Related: :doc:`/gallery/graph/gradients_of_some_inputs`,
# :doc:`/gallery/three-ways/no_grad_stops_recording`, :doc:`func_and_functional_call`.
