"""
Gradient penalty without effect: autograd.grad needs create_graph=True
======================================================================

``autograd.grad`` returns a gradient without a graph, so a penalty on it trains nothing.
Pass ``create_graph=True``. A complex loss needs a real quantity, such as ``abs()``.
"""

# %%
# The loss is ``w x²`` plus a penalty on its gradient. Without a penalty, the gradient
# of the weight is ``x² = 4``. With it, ``88`` are added.
import torch

x = torch.tensor(2.0, requires_grad=True)
weight = torch.tensor(3.0, requires_grad=True)
found = []
for create_graph in (False, True):
    weight.grad = None
    loss = weight * x.square()
    (gradient,) = torch.autograd.grad(
        loss, x, retain_graph=True, create_graph=create_graph
    )
    (loss + (gradient - 1).square()).backward()
    found.append(weight.grad.item())
print(found)
assert found == [4, 4 + 88]

# %%
# The gradient is ``2wx = 12``, the penalty ``(12 - 1)²``, and its derivative by the
# weight ``2 · 11 · 2x = 88``.
#
# The loss on ``torch.autograd.grad`` has ``grad_fn`` None: retain_graph is not enough
# ------------------------------------------------------------------------------------
# Write ``create_graph=True``: only this gives the gradient a graph of its own, and it
# also retains the old one. ``retain_graph=True`` alone keeps the graph of the output,
# so that you can walk it again, and the gradient is a constant. A term of it alone has
# ``grad_fn`` None, trains nothing, and raises. The mistake is hidden by a loss beside
# it, and by a term that also contains the output, such as ``u_t + u * u_x``. If a
# network fits values and derivatives, use a smooth activation, such as ``Tanh`` or
# ``Softplus``: the derivative of a ReLU network by its input is constant in pieces.
(gradient,) = torch.autograd.grad(weight * x.square(), x, retain_graph=True)
penalty = (gradient - 1).square()
print(penalty.grad_fn)
assert penalty.grad_fn is None
try:
    penalty.backward()
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("the penalty had a graph")
weight.grad = None
(gradient,) = torch.autograd.grad(weight * x.square(), x, create_graph=True)
assert gradient == 12
penalty = (gradient - 1).square()
penalty.backward()
print(penalty.grad_fn.name())
assert weight.grad == 88

# %%
# PINN: ``u_x``, ``u_t`` and ``u_xx`` of a network, in a loss
# -----------------------------------------------------------
# Each derivative that goes into the loss, or that you differentiate again, needs
# ``create_graph=True``. ``u.sum()`` gives the derivative at each point, as
# ``grad_outputs=torch.ones_like(u)`` does, because no point influences another one.
# With batch norm in training mode that is not so. Then:
#
# - Make ``x`` and ``t`` separate leaves with ``requires_grad_()``, and join them in the
#   forward. A slice ``xt[:, :1]`` that you make afterwards is not what the network was
#   computed from: ``appears to not have been used in the graph``.
# - Use a smooth activation. The second derivative of a ReLU network is zero, or
#   missing: :doc:`/reference/errors/appears_to_not_have_been_used_in_the_graph`.
# - In a validation under ``no_grad()`` there is no graph to differentiate. Put
#   ``torch.enable_grad()`` around the derivatives, and detach the residual.
# - The last bias gets no gradient from derivatives alone, because they do not depend on
#   it. The values at the boundary train it.


def derivatives(u, x, t):
    (u_x,) = torch.autograd.grad(u.sum(), x, create_graph=True)
    (u_t,) = torch.autograd.grad(u.sum(), t, create_graph=True)
    (u_xx,) = torch.autograd.grad(u_x.sum(), x, create_graph=True)
    return u_x, u_t, u_xx


torch.manual_seed(0)
points = torch.rand(8, 1).requires_grad_()
times = torch.rand(8, 1).requires_grad_()
exact = points.sin() * (-times).exp()  # solves u_t = u_xx
u_x, u_t, u_xx = derivatives(exact, points, times)
assert torch.allclose(u_x, points.cos() * (-times).exp())
assert torch.allclose(u_t, u_xx, atol=1e-6)

network = torch.nn.Sequential(
    torch.nn.Linear(2, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1)
)


def residual():
    u = network(torch.cat([points, times], dim=1))
    _, u_t, u_xx = derivatives(u, points, times)
    return u_t - u_xx


residual().square().mean().backward()
print([name for name, p in network.named_parameters() if p.grad is not None])
assert all(p.grad is not None for p in list(network.parameters())[:-1])
assert network[2].bias.grad is None
with torch.no_grad(), torch.enable_grad():
    validated = residual().detach()
assert validated.shape == (8, 1)

# %%
# PINN: ``u_x`` is None or all zeros, and the physics loss trains nothing
# -----------------------------------------------------------------------
# ``allow_unused=True`` hides the cause: ``u`` was not computed from this ``x``, and you
# get None, or zeros if you replace None by zeros. Leave it out and read the error. The
# usual causes: ``x`` was sliced or converted after the forward, it went through NumPy
# or ``torch.tensor()``, or ``requires_grad_()`` was called after the forward. Only a
# second derivative may be missing for a good reason: if ``u`` is linear in ``x``.
torch.manual_seed(0)
field = torch.nn.Sequential(
    torch.nn.Linear(1, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1)
)
found = {}
for way in ("new tensor", "requires_grad_() too late", "right"):
    x_in = torch.rand(4, 1)
    if way != "requires_grad_() too late":
        x_in.requires_grad_()
    u = field(torch.tensor(x_in.tolist()) if way == "new tensor" else x_in)
    x_in.requires_grad_()
    (u_x,) = torch.autograd.grad(u.sum(), x_in, create_graph=True, allow_unused=True)
    found[way] = u_x is not None
    print(f"{way:26}{found[way]}")
assert list(found.values()) == [False, False, True]


# %%
# The second derivative of a linear function raises, although ``create_graph=True``
# ---------------------------------------------------------------------------------
# For a function that you know to be linear, take zeros where ``first.requires_grad`` is
# False, or add ``0 * x**2`` to the function. ``element 0 of tensors does not require
# grad and does not have a grad_fn``: the first derivative of ``3 * x`` is a constant,
# so it has no graph, and ``allow_unused=True`` or ``materialize_grads=True`` do not
# help. The flag is False, too, and zeros are wrong, if ``create_graph=True`` or the
# path to ``x`` is missing, as in ``x * x.detach()``.
#
# With a linear layer that trains, the first derivative has a graph, to the weight, but
# none to ``x``: the error is ``appears to not have been used in the graph``, and
# ``materialize_grads=True`` gives the zeros. ``torch.func.grad``,
# ``torch.func.hessian`` and ``torch.autograd.functional.hessian`` return zeros in both
# cases. In a PINN, a zero where you expect a curvature means that ``u`` is linear in
# ``x``, as of a ReLU network in pieces, or that the path is cut.
def second_derivative(function, at):
    (first,) = torch.autograd.grad(function(at).sum(), at, create_graph=True)
    if not first.requires_grad:
        return torch.zeros_like(at)
    (second,) = torch.autograd.grad(first.sum(), at, materialize_grads=True)
    return second


position = torch.tensor([1.0, 2.0], requires_grad=True)
trained = torch.ones(2, requires_grad=True)
functions = {
    "3 * x": lambda x: 3 * x,
    "3 * x + 0 * x**2": lambda x: 3 * x + 0 * x**2,
    "x @ weight": lambda x: x @ trained,
    "x**3": lambda x: x**3,
}
for name, function in functions.items():
    (first,) = torch.autograd.grad(
        function(position).sum(), position, create_graph=True
    )
    try:
        torch.autograd.grad(first.sum(), position)
    except RuntimeError as error:
        print(f"{name:18}{str(error)[:62]}")
    found = second_derivative(function, position)
    print(f"{name:18}{found.tolist()}")
    hessian = torch.func.hessian(lambda x, f=function: f(x).sum())(position)
    assert hessian.diag().equal(found)
    assert found.tolist() == ([6, 12] if name == "x**3" else [0, 0])
assert not second_derivative(lambda x: x * x.detach(), position).any()  # not 2

# %%
# PINN: normalised inputs, and several outputs ``u, v, p``
# --------------------------------------------------------
# Differentiate by the physical ``x``, and normalise inside the forward: then autograd
# applies the chain rule. If the network gets a normalised tensor that was made before,
# the derivative is by that tensor: divide it by the standard deviation, the second one
# by its square. A normalised output is multiplied by its own standard deviation.
#
# With several outputs, ``outputs.sum()`` adds the derivatives of all of them. Take one
# column at a time: ``outputs[:, 0].sum()``. It is the same for ``grad_outputs`` of
# ones.
position = torch.tensor([[1.0], [3.0]], requires_grad=True)
mean, std = 2.0, 4.0
scaled = ((position - mean) / std).detach().requires_grad_()


def solution(normalised):
    physical = normalised * std + mean  # the network would learn this
    return torch.cat([physical**2, physical**3], dim=1)


outputs = solution(scaled)
(by_scaled,) = torch.autograd.grad(outputs[:, 0].sum(), scaled, retain_graph=True)
(summed,) = torch.autograd.grad(outputs.sum(), scaled)
inside = solution((position - mean) / std)
(by_position,) = torch.autograd.grad(inside[:, 0].sum(), position)
for name, slope in (
    ("by x, normalised inside", by_position),
    ("by the normalised x", by_scaled),
    ("divided by std", by_scaled / std),
    ("both outputs, divided", summed / std),
):
    print(f"{name:25}", slope.flatten().tolist())
assert by_position.flatten().tolist() == [2, 6]
assert (by_scaled / std).allclose(by_position)
assert not (summed / std).allclose(by_position)

# %%
# Gradient penalty with mixed precision: ``GradScaler`` and ``autograd.grad``
# ---------------------------------------------------------------------------
# In ``float16``, scale the output before ``autograd.grad``, and divide the gradient by
# ``scaler.get_scale()`` before you compute the penalty. Then scale the whole loss for
# ``backward()``, as always. If you forget to divide, the penalty is that of a gradient
# 65536 times as long. If you do not scale, small gradients become zero in ``float16``.
# ``scaler.unscale_()`` is no help: it works on the ``.grad`` of parameters. In
# ``bfloat16`` leave out the scaler.
critic = torch.nn.Sequential(
    torch.nn.Linear(2, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1)
)
scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
real, fake = torch.randn(4, 2), torch.randn(4, 2)
mixture = torch.rand(4, 1)
between = (mixture * real + (1 - mixture) * fake).requires_grad_()


def penalty(*, divide):
    with torch.autocast("cpu", torch.bfloat16):
        verdict = critic(between).float().sum()
    (slope,) = torch.autograd.grad(scaler.scale(verdict), between, create_graph=True)
    if divide:
        slope = slope / scaler.get_scale()
    return (slope.norm(dim=1) - 1).square().mean()


(slope,) = torch.autograd.grad(critic(between).sum(), between)
expected = (slope.norm(dim=1) - 1).square().mean().item()
found = [penalty(divide=divide).item() for divide in (False, True)]
print([round(value, 2) for value in (expected, *found)])
assert abs(found[1] - expected) < 0.05 * expected
assert found[0] > 100 * expected
scaler.scale(penalty(divide=True)).backward()
assert critic[0].weight.grad.any()

# %%
# ``the derivative for '_cudnn_rnn_backward' is not implemented``: LSTM or GRU
# ----------------------------------------------------------------------------
# cuDNN has no second derivative for RNN, LSTM and GRU, so a gradient penalty, a Hessian
# or meta-learning through them raises on the GPU (``NotImplementedError``: ``Double
# backwards is not supported for CuDNN RNNs``; read in `PyTorch 5261
# <https://github.com/pytorch/pytorch/issues/5261>`__ and not run here). Switch cuDNN
# off for the forward of that layer: the backward follows it. In ``eval()`` even the
# first backward raises (``cudnn RNN backward can only be called in training mode``):
# :doc:`/gallery/still-moves/eval_is_not_no_grad`. On the CPU the same code runs:
lstm = torch.nn.LSTM(2, 3)
sequence = torch.randn(5, 1, 2, requires_grad=True)
with torch.backends.cudnn.flags(enabled=False):
    output, _ = lstm(sequence)
(slope,) = torch.autograd.grad(output.sum(), sequence, create_graph=True)
slope.square().sum().backward()
print(lstm.weight_ih_l0.grad.any())
assert lstm.weight_ih_l0.grad.any()

# %%
# Grad-CAM or another attention map of gradients in a loss
# --------------------------------------------------------
# A loss may compare two attention maps: that of an old model, the teacher, and that of
# the model that trains. The weights of a Grad-CAM map are gradients, so take them with
# ``create_graph=True``, and detach the map of the teacher. Then ``backward()``
# differentiates a second time.
#
# Without it, no error is raised: the map also contains the features, which have a
# graph, and the layers get that part of the gradient alone. The layer behind the
# features gets none. It is the same if a hook stores the gradient, or if you read
# ``features.grad``: after ``backward()`` without ``create_graph=True`` neither has a
# graph.
torch.manual_seed(0)
images = torch.randn(2, 1, 6, 6)
student, teacher = (
    torch.nn.ModuleDict(
        {"conv": torch.nn.Conv2d(1, 3, 3), "head": torch.nn.Linear(3, 2)}
    )
    for _ in range(2)
)


def grad_cam(model, create_graph):
    features = model["conv"](images).tanh()
    score = model["head"](features.mean((2, 3))).softmax(1)[:, 0].sum()
    # retain_graph keeps the graph of the features for the loss
    (slopes,) = torch.autograd.grad(
        score, features, retain_graph=True, create_graph=create_graph
    )
    return (slopes.mean((2, 3), keepdim=True) * features).sum(1)


old_map = grad_cam(teacher, create_graph=False).detach()
reached, sizes = {}, []
for create_graph in (False, True):
    student.zero_grad()
    (grad_cam(student, create_graph) - old_map).square().sum().backward()
    layers = student.items()
    reached[create_graph] = [n for n, m in layers if m.weight.grad is not None]
    sizes.append(student["conv"].weight.grad.norm().item())
    print(create_graph, reached[create_graph], f"{sizes[-1]:.5f}")
assert sizes[0] != sizes[1]
assert reached == {False: ["conv"], True: ["conv", "head"]}

stored = []
features = student["conv"](images)
features.retain_grad()
features.register_hook(stored.append)
student["head"](features.mean((2, 3))).sum().backward()
assert not stored[0].requires_grad
assert not features.grad.requires_grad

# %%
# Does no_grad() stop it?
# -----------------------
# A graph that exists can be walked under ``no_grad()``. With ``create_graph=True`` the
# walk is even recorded, but not in ``inference_mode()``.
y = x**3
with torch.no_grad():
    (first,) = torch.autograd.grad(y, x, create_graph=True)
print(first.requires_grad)
assert first.requires_grad
assert torch.autograd.grad(first, x)[0] == 12
y = x**3
with torch.inference_mode():
    (first,) = torch.autograd.grad(y, x, create_graph=True)
assert not first.requires_grad

# %%
# backward(create_graph=True) warns
# ---------------------------------
# It puts a gradient with a graph into ``.grad``. If that graph leads back to the
# parameter, the parameter and its gradient keep each other alive. ``autograd.grad``
# returns the gradient instead, so there is no such cycle.
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
# ``Casting complex values to real discards the imaginary part``: the gradient, too
# ---------------------------------------------------------------------------------
# ``z.float()``, ``z.to(torch.float32)``, or writing complex values into a real tensor
# keeps the real part, and warns once. Nothing behind it depends on the imaginary part
# of ``z``, so that part gets no gradient, and does not learn if ``z`` is a parameter.
# Say what you mean: ``z.abs()``, ``z.real``, or both parts as two channels with
# ``torch.view_as_real(z)``. A real weight that is multiplied by complex values needs
# none of this: its gradient is real, and complete.
import warnings

spectrum = torch.tensor([1 + 2j, 3 - 1j], requires_grad=True)
is_always = torch.is_warn_always_enabled()
torch.set_warn_always(True)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    cast = spectrum.to(torch.float32)
torch.set_warn_always(is_always)
print(str(caught[0].message).partition(" (")[0])
ways = {
    "to(float32)": cast.square().sum(),
    "abs()": spectrum.abs().square().sum(),
    "view_as_real()": torch.view_as_real(spectrum).square().sum(),
}
imaginary = {}
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    for name, loss in ways.items():
        (slope,) = torch.autograd.grad(loss, spectrum)
        imaginary[name] = slope.imag.any().item()
        print(f"{name:15} imaginary part: {imaginary[name]}")
assert list(imaginary.values()) == [False, True, True]
scale = torch.tensor(2.0, requires_grad=True)
(scale * spectrum.detach()).abs().square().sum().backward()
torch.testing.assert_close(scale.grad, torch.tensor(60.0))


# %% tags=["hide-input"]
# Where it ends
# -------------
# ``create_graph=True`` records what the backward of each operation does. Sometimes this
# is nothing:
#
# - The gradient of ``3x`` is a constant. It has no graph, see above.
# - A ``Function`` whose backward is ``once_differentiable`` gives a gradient without a
#   graph, and so a penalty without effect.
# - A function that ``torch.compile`` has compiled with its default backend, or with any
#   other that uses AOTAutograd, raises: a second backward is not supported
#   (:doc:`what to do
#   </reference/errors/aot_autograd_does_not_currently_support_double_backward>`).
# - Attention with a fused kernel raises, too: the kernel has no second derivative
#   (:doc:`what to do </reference/errors/derivative_for_aten_scaled_dot_product>`).
class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad * 3 * x**2


for result in (3 * x, Cube.apply(x)):
    (gradient,) = torch.autograd.grad(result, x, create_graph=True)
    assert not gradient.requires_grad

compiled = torch.compile(lambda x: x**3, backend="aot_eager")
(gradient,) = torch.autograd.grad(compiled(x), x, create_graph=True)
try:
    gradient.backward()
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("a compiled function was differentiated twice")
assert "does not currently support double backward" in message

query = torch.ones(1, 1, 2, 2, requires_grad=True)
attended = torch.nn.functional.scaled_dot_product_attention(query, query, query)
(gradient,) = torch.autograd.grad(attended.square().sum(), query, create_graph=True)
try:
    gradient.sum().backward()
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("a fused kernel was differentiated twice")
assert message.startswith("derivative for aten::_scaled_dot_product_flash_attention")

# %%
# The transforms of ``torch.func`` need no ``create_graph``. And ``backward()`` starts
# from a complex number if you pass a ``gradient`` for it.
assert torch.func.grad(torch.func.grad(lambda x: x**3))(x) == 12
z.grad = None
(z * z).backward(gradient=torch.tensor(1 + 0j))
assert torch.allclose(z.grad, 2 * z.detach().conj())

# %%
# Write ``create_graph=True`` where a gradient goes into a loss, and make the loss a
# real number. Sources: :torch:`torch.autograd.grad`, :torch:`Autograd for complex
# numbers <notes/autograd.html#autograd-for-complex-numbers>`.
#
# Related: :doc:`/gallery/graph/gradients_of_some_inputs`,
# :doc:`/gallery/three-ways/no_grad_stops_recording`, :doc:`func_and_functional_call`.
