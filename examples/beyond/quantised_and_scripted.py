"""
Quantised and scripted layers: frozen for good
==============================================

Integers have no gradient, so a quantised weight can't train. Quantisation-aware
training keeps the weight floating point, and rounds it in a way that lets the gradient
through.
"""

# %%
# only Tensors of floating point dtype can require gradients
# ----------------------------------------------------------
# A quantised tensor holds integers and a scale.
import torch

quantised = torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)
try:
    quantised.requires_grad_()
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("an integer requires a gradient")

# %%
# A parameter may hold integers if you say that it does not train. A whole module can't
# be converted to them.
parameter = torch.nn.Parameter(torch.ones(2, dtype=torch.int8), requires_grad=False)
print(parameter.dtype, parameter.requires_grad)
assert not parameter.requires_grad
try:
    torch.nn.Linear(2, 1).to(torch.int8)
except TypeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("a module was converted to integers")

# %%
# Quantisation-aware training
# ---------------------------
# A fake quantisation rounds in the forward. In the backward it lets the gradient
# through, inside the range that the integers have. Outside of it, the gradient is zero.
x = torch.tensor([0.12, 0.77, 99.0], requires_grad=True)
rounded = torch.fake_quantize_per_tensor_affine(x, 0.1, 0, -128, 127)
rounded.sum().backward()
print(x.grad)
assert x.grad.tolist() == [1, 1, 0]

# %% tags=["hide-input"]
# Left: what the fake quantisation gives. Right: its gradient, one inside the range of
# four levels, zero outside.
import matplotlib.pyplot as plt

xs = torch.linspace(-0.5, 0.9, 281, requires_grad=True)
ys = torch.fake_quantize_per_tensor_affine(xs, 0.2, 0, -1, 2)
(slope,) = torch.autograd.grad(ys.sum(), xs)
_, (left, right) = plt.subplots(1, 2, figsize=(6, 2.8), layout="constrained")
left.plot(xs.detach(), ys.detach(), "C0")
left.set(xlabel="x", ylabel="y")
right.plot(xs.detach(), slope, "C0")
right.set(xlabel="x", ylabel="gradient", ylim=(-0.2, 1.4))
plt.show()

# %%
# torch.jit.freeze means something else
# -------------------------------------
# It turns the parameters of a scripted module into constants of the program. None are
# left that could train or be loaded. The input still gets its gradient.
module = torch.jit.script(torch.nn.Linear(2, 1).eval())
program = torch.jit.freeze(module)
print(len(list(program.parameters())))
assert len(list(program.parameters())) == 0
value = torch.ones(1, 2, requires_grad=True)
program(value).sum().backward()
assert value.grad is not None

# %%
# Quantise after training, or train through the fake. To freeze in order to train the
# rest, use ``requires_grad_(False)``, not ``torch.jit.freeze``. Sources:
# :torch:`torch.fake_quantize_per_tensor_affine`, :torch:`torch.jit.freeze`.
#
# Related: :doc:`/gallery/recipes/straight_through_and_vq`, :doc:`compile_trace_export`,
# :doc:`/gallery/three-ways/backward_without_a_graph`.
