"""
torch.func transforms ignore requires_grad; cut with detach(), not no_grad()
============================================================================

``grad(f)`` differentiates by the first argument of ``f``, frozen or not. To freeze a
parameter, pass it in another argument.
"""

# %%
# All parameters are frozen, and each gets a gradient. In the second call, the weight is
# left out.
import torch
from torch.func import functional_call, grad

model = torch.nn.Linear(2, 1).requires_grad_(False)
parameters = dict(model.named_parameters())


def loss(trained, frozen):
    return functional_call(model, (trained, frozen), torch.ones(1, 2)).sum()


print(list(grad(loss)(parameters, {})))
frozen = {"weight": parameters.pop("weight")}
print(list(grad(loss)(parameters, frozen)))

# %%
# ``functional_call`` alone is no transform. With ``backward()``, it obeys
# ``requires_grad`` as a call of the model does.
gradients = grad(loss)(parameters, frozen)
assert list(gradients) == ["bias"]
assert gradients["bias"].item() == 1
everything = grad(loss)({**parameters, **frozen}, {})
assert set(everything) == {"weight", "bias"}
assert not any(p.requires_grad for p in model.parameters())
model.bias.requires_grad_(True)
loss({**parameters, **frozen}, {}).backward()
assert model.bias.grad is not None
assert model.weight.grad is None


# %%
# Train with ``torch.func``: two dictionaries, and the gradients to an optimizer
# ------------------------------------------------------------------------------
# Split the parameters by ``requires_grad``. The detached tensors share the memory of
# the parameters, so they follow the steps of the optimizer. ``grad`` returns a
# dictionary: write each gradient into the ``.grad`` of its parameter, and call
# ``step()``. ``zero_grad()`` is not needed, because nothing is added up.
# :torch:`torch.func.grad_and_value` returns the loss as well. The old
# ``make_functional`` of functorch copies the parameters, and is deprecated: use
# ``functional_call``.
from torch.func import grad_and_value


def split(network):
    trained = {n: p.detach() for n, p in network.named_parameters() if p.requires_grad}
    rest = {n: p.detach() for n, p in network.named_parameters() if n not in trained}
    return trained, {**rest, **dict(network.named_buffers())}


def squared_error(trained, rest, inputs, targets):
    outputs = functional_call(network, (trained, rest), inputs)
    return (outputs - targets).square().mean()


torch.manual_seed(0)
network = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Linear(3, 1))
network[0].requires_grad_(False)
optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
inputs, targets = torch.randn(8, 2), torch.randn(8, 1)
trained, rest = split(network)
first, losses = network[0].weight.clone(), []
for _ in range(3):
    gradients, value = grad_and_value(squared_error)(trained, rest, inputs, targets)
    for name, gradient in gradients.items():
        network.get_parameter(name).grad = gradient
    optimizer.step()
    losses.append(value.item())
print(list(gradients), losses[0] > losses[1] > losses[2])
assert list(gradients) == ["1.weight", "1.bias"]
assert losses[0] > losses[1] > losses[2]
assert network[0].weight.equal(first)
assert trained["1.weight"].data_ptr() == network[1].weight.data_ptr()

# %%
# no_grad() under jacrev and jacfwd
# ---------------------------------
# The function is ``x² - c``, and ``c = x²`` is made a constant in two ways, so the
# derivative should be ``2x``. With ``no_grad()``, forward mode gives zero. It computes
# derivatives along with the values and records nothing, so there is no recording that
# ``no_grad()`` could switch off.
from torch.func import jacfwd, jacrev


def with_no_grad(x):
    with torch.no_grad():
        constant = x.square()
    return x.square() - constant


def with_detach(x):
    return x.square() - x.square().detach()


point = torch.tensor([1.0, 2.0])
table = {}
for function in (with_no_grad, with_detach):
    for jacobian in (jacrev, jacfwd):
        found = jacobian(function)(point).diag().tolist()
        table[function.__name__, jacobian.__name__] = found
        print(f"{function.__name__:13}{jacobian.__name__:8}{found}")
assert table["with_no_grad", "jacrev"] == [2, 4]
assert table["with_no_grad", "jacfwd"] == [0, 0]
assert table["with_detach", "jacrev"] == table["with_detach", "jacfwd"] == [2, 4]

# %% tags=["hide-input"]
# The derivative that each pair finds at 2, where it should be 4 (line).
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5.5, 2.8), layout="constrained")
for (function, jacobian), found in table.items():
    right = found[1] == 4
    look = {"ec": "C0"} if right else {"ec": "C2", "ls": "--"}
    ax.barh(f"{function}, {jacobian}", found[1], fc="none", lw=2, **look)
    if not right:
        ax.plot(0.08, f"{function}, {jacobian}", "C2x", ms=10, mew=3)
ax.axvline(4, color="C3")
ax.set(xlabel="derivative", xlim=(0, 4.4))
ax.invert_yaxis()
plt.show()


# %%
# Around a transform, no_grad() does not stop it
# ----------------------------------------------
# The transform switches recording on for itself. What ``no_grad()`` does switch off is
# the recording of the transform, so its result has no graph.
def cubes(x):
    return x.pow(3).sum()


leaf = point.clone().requires_grad_()
assert grad(cubes)(leaf).requires_grad
with torch.no_grad():
    assert grad(cubes)(leaf).tolist() == [3, 12]
    assert not grad(cubes)(leaf).requires_grad


# %%
# Inside a transform, ``requires_grad_()`` raises. The assignment ``x.requires_grad =
# False`` raises nothing, and the gradient silently becomes zero: leave it out, too.
def assigns(x):
    x.requires_grad = False
    return x.sum()


try:
    grad(lambda x: x.requires_grad_().sum())(point)
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("requires_grad_() ran in a transform")
assert grad(assigns)(point.clone()).tolist() == [0, 0]


# %%
# vmap keeps what is frozen, and hides it inside
# ----------------------------------------------
# ``vmap`` alone is recorded as usual, and both ``no_grad()`` and ``detach()`` cut in
# it. But inside the function ``requires_grad`` is False, so code there that asks for it
# goes the wrong way. ``stack_module_state`` makes new leaves with the ``requires_grad``
# of the parameters. Their gradients don't arrive in the modules, and the modules must
# be frozen in the same way.
from torch.func import stack_module_state, vmap

leaf, inside = torch.ones(3, 2, requires_grad=True), []


def keep(row):
    inside.append(row.requires_grad)
    return row * 2


def cut(row):
    with torch.no_grad():
        return row * 2


outside = [vmap(f)(leaf).requires_grad for f in (keep, cut, torch.Tensor.detach)]
print(inside, outside)
assert inside == [False]
assert outside == [True, False, False]

models = [torch.nn.Linear(2, 1) for _ in range(3)]
for member in models:
    member.weight.requires_grad_(False)
stacked, buffers = stack_module_state(models)


def predict(parameters, buffers):
    return functional_call(models[0], (parameters, buffers), torch.ones(1, 2))


vmap(predict)(stacked, buffers).sum().backward()
print({name: p.grad is not None for name, p in stacked.items()})
assert stacked["weight"].grad is None
assert stacked["bias"].grad is not None
assert models[0].bias.grad is None
models[0].weight.requires_grad_(True)
try:
    stack_module_state(models)
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("modules that are frozen differently were stacked")


# %%
# Gradients of each sample: vmap(grad(f))
# ---------------------------------------
# Inside ``vmap``, ``torch.autograd.grad()`` and ``backward()`` raise errors, even if
# the input outside requires a gradient. Take the gradient with ``torch.func.grad``, and
# put ``vmap`` around it. Inside ``grad``, the first argument does require a gradient.
samples, asked = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), []
leaf = samples.clone().requires_grad_()


def with_autograd(row):
    return torch.autograd.grad(row.square().sum(), row)[0]


def with_backward(row):
    row.square().sum().backward()
    return row


for function in (with_autograd, with_backward):
    try:
        vmap(function)(leaf)
    except RuntimeError as error:
        print(f"{function.__name__}: {str(error)[:60]}")
    else:
        raise AssertionError("autograd ran inside vmap")


def sample_loss(weights, row):
    asked.append(weights["weight"].requires_grad)
    return functional_call(model, weights, row).square().sum() / 2


weights = {"weight": torch.ones(1, 2), "bias": torch.zeros(1)}
per_sample = vmap(grad(sample_loss), in_dims=(None, 0))(weights, samples)
print(per_sample["weight"].tolist(), asked)
assert per_sample["weight"].tolist() == [[[3, 6]], [[21, 28]]]
assert asked == [True]


# %%
# ``vmap: It looks like you're calling .item() on a Tensor``, ``if`` inside ``vmap``
# ----------------------------------------------------------------------------------
# Write operations on tensors of fixed shape, as in the second function of each pair:
# inside ``vmap``, a tensor that comes from a sample stands for all samples at once and
# has no single value. So ``item()``, ``float()``, ``numpy()``, ``if`` and ``assert``
# (``data-dependent control flow``) raise on it, as do a slice with it as a bound, a
# mask as an index, and ``out[0] = x`` into a tensor that does not come from a sample.
# If the function stores it outside of itself, you can't use it later (``your tensor may
# have escaped``): return it. ``grad`` alone raises nothing at ``item()``: the number is
# a constant, and the gradient through it is lost.


def write(out, row):
    out[0] = row[0]
    return out


pairs = {
    "row.max().item()": (
        lambda row, i: row / row.max().item(),
        lambda row, i: row / row.max(),
    ),
    "if": (
        lambda row, i: row if row.sum() > 0 else -row,
        lambda row, i: torch.where(row.sum() > 0, row, -row),
    ),
    "row[i : i + 2]": (
        lambda row, i: row[i : i + 2],
        lambda row, i: row[i + torch.arange(2)],
    ),
    "row[row > 0]": (
        lambda row, i: row[row > 0],
        lambda row, i: torch.where(row > 0, row, 0),
    ),
    "torch.zeros(3)": (
        lambda row, i: write(torch.zeros(3), row),
        lambda row, i: write(row.new_zeros(3), row),
    ),
}
values, starts = torch.tensor([[1.0, 2.0, 4.0], [-6.0, 4.0, 1.0]]), torch.tensor([0, 1])
for name, (wrong, right) in pairs.items():
    try:
        vmap(wrong)(values, starts)
    except RuntimeError as error:
        print(f"{name:18}{str(error)[:48]}")
    else:
        raise AssertionError(f"vmap ran {name}")
    each = [right(row, i) for row, i in zip(values, starts, strict=True)]
    assert vmap(right)(values, starts).equal(torch.stack(each))
largest = values.max()  # not from a sample: item() works
assert vmap(lambda row: row / largest.item())(values).max() == 1
lost, kept = (
    grad(lambda x, f=factor: (x * f(x)).sum())(point)
    for factor in (lambda x: x.sum().item(), torch.sum)
)
print(lost, kept)
assert lost.tolist() == [3, 3]
assert kept.tolist() == [6, 6]

# %%
# ``must override the setup_context staticmethod``: a custom function, a backward hook
# ------------------------------------------------------------------------------------
# Something in the model is an ``autograd.Function`` whose ``forward()`` takes ``ctx``:
# of your own, of a library, or the one that PyTorch puts around a layer with a full
# backward hook. For a function, take ``ctx`` out of ``forward()``:
# :doc:`/reference/errors/must_override_the_setup_context_staticmethod`, which also has
# the errors that come next, of ``vmap`` and ``jvp``. Remove a hook:
# :doc:`/gallery/modes/hooks_that_fail`.
#
# Batch norm and dropout: ``would mutate a captured Tensor``, ``randomness error mode``
# -------------------------------------------------------------------------------------
# Batch norm in training mode writes its running statistics, and a transform refuses to
# write to a tensor that is not an argument of the function. Put a frozen batch norm
# into ``eval()``: then nothing is written. If it must train, pass the buffers as an
# argument, too: their new values arrive in the tensors that you passed.
network = torch.nn.Sequential(
    torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 1)
)
samples = torch.randn(4, 2)


def total(parameters, *buffers):
    return functional_call(network, (parameters, *buffers), samples).square().sum()


trained, _ = split(network)
try:
    grad(total)(trained)  # wrong: the buffers are not passed
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("a transform wrote to a captured tensor")
print(message)
assert "would mutate a captured Tensor" in message
buffers = {name: buffer.clone() for name, buffer in network.named_buffers()}
assert grad(total)(trained, buffers).keys() == trained.keys()  # right
print(buffers["1.num_batches_tracked"], network[1].num_batches_tracked)
assert buffers["1.num_batches_tracked"] == 1
assert buffers["1.running_mean"].any()
assert network[1].num_batches_tracked == 0
network.eval()
assert grad(total)(trained).keys() == trained.keys()  # right, if it is frozen
assert network[1].num_batches_tracked == 0

# %%
# ``vmap`` with a batch in each call refuses it as well: ``Batch norm got a batched
# tensor as input``. Use ``eval()`` or ``GroupNorm``, or
# ``torch.func.replace_all_batch_norm_modules_(model)``, after which the model has no
# running statistics any more. For gradients of each sample, batch norm in training mode
# has no meaning, because the output for one sample depends on the others. Dropout under
# ``vmap`` needs ``randomness="different"``, or ``"same"`` for one mask for all.
groups = torch.randn(4, 5, 2)


def of_group(group):
    return functional_call(network, trained, group).sum()


def dropped(row):
    return torch.nn.functional.dropout(row)


network.train()
rows = torch.ones(4, 64)
for wrong, argument in ((of_group, groups), (dropped, rows)):
    try:
        vmap(wrong)(argument)
    except RuntimeError as error:
        print(str(error)[:70])
    else:
        raise AssertionError("vmap ran batch norm or dropout")
network.eval()
assert vmap(of_group)(groups).shape == (4,)
torch.func.replace_all_batch_norm_modules_(network.train())
assert vmap(of_group)(groups).shape == (4,)
masks = {way: vmap(dropped, randomness=way)(rows) for way in ("same", "different")}
print({way: len(mask.unique(dim=0)) for way, mask in masks.items()})
assert len(masks["same"].unique(dim=0)) == 1
assert len(masks["different"].unique(dim=0)) > 1

# %%
# ``expected 4D input (got 3D input)``: ``BatchNorm2d`` under ``vmap(jacrev(model))``
# -----------------------------------------------------------------------------------
# ``vmap`` hides the batch dimension, so the model sees one sample: an image has three
# dimensions. A convolution takes that. Batch norm raises, in ``eval()``, too
# (``BatchNorm1d``: ``expected 2D or 3D input (got 1D input)``), and ``nn.Flatten()``
# returns another shape without an error. Add the dimension inside the function:
# ``model(x.unsqueeze(0)).squeeze(0)``.
#
# With running statistics and ``eval()`` the result is right. In training mode, writing
# the statistics is refused under ``jacrev``, as above. With
# ``track_running_stats=False`` it runs, but normalizes each sample by itself: that is
# not what the network does to a batch, where a sample has no derivative of its own.
layers = torch.nn.Sequential(
    torch.nn.Conv2d(3, 3, 3), torch.nn.BatchNorm2d(3), torch.nn.Flatten()
).eval()
images = torch.randn(4, 3, 5, 5)


def of_one(image):
    return layers(image.unsqueeze(0)).squeeze(0)


try:
    vmap(jacrev(layers))(images)  # wrong
except ValueError as error:
    message = str(error)
else:
    raise AssertionError("batch norm took one image")
print(message)
assert message == "expected 4D input (got 3D input)"
of_each = vmap(jacrev(of_one))(images)  # right
print(tuple(of_each.shape))
torch.testing.assert_close(of_each, jacrev(layers)(images)[range(4), :, range(4)])
try:
    layers.train()
    vmap(jacrev(of_one))(images)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("a transform wrote to a captured tensor")
assert "would mutate a captured Tensor" in message
layers[1] = torch.nn.BatchNorm2d(3, track_running_stats=False).eval()
assert not vmap(of_one)(images).allclose(layers(images), atol=0.01)
assert vmap(torch.nn.Flatten())(images).shape == (4, 3, 25)


# %%
# The Hessian of a loss by the parameters of a model, and its product with a vector
# ---------------------------------------------------------------------------------
# ``torch.func.hessian`` of a function of the dictionary of parameters gives a block for
# each pair of them. It has the square of the number of parameters as entries: 10,000
# parameters need 400 MB, a million 4 TB. Almost always the product with a vector is
# enough (curvature, largest eigenvalue, influence functions). Its cost is a small
# multiple of that of the gradient: differentiate the gradient once more. Frozen
# parameters stay out if you leave them out of the dictionary.
from torch.func import hessian, vjp


def regression(parameters):
    return functional_call(small, parameters, points).square().mean()


torch.manual_seed(0)
small = torch.nn.Sequential(
    torch.nn.Linear(2, 2), torch.nn.Tanh(), torch.nn.Linear(2, 1)
)
points = torch.randn(5, 2)
trained = {name: p.detach() for name, p in small.named_parameters()}
blocks = hessian(regression)(trained)
print(tuple(blocks["0.weight"]["2.bias"].shape))
vector = {name: torch.randn_like(p) for name, p in trained.items()}
product = vjp(grad(regression), trained)[1](vector)[0]

gradients = torch.autograd.grad(
    small(points).square().mean(), small.parameters(), create_graph=True
)
by_autograd = torch.autograd.grad(gradients, small.parameters(), tuple(vector.values()))
whole = sum(
    (block.flatten(-vector[name].dim()) @ vector[name].flatten())
    for name, block in blocks["0.bias"].items()
)
for mine, theirs in zip(product.values(), by_autograd, strict=True):
    torch.testing.assert_close(mine, theirs)
torch.testing.assert_close(product["0.bias"], whole)


# %%
# ``torch.autograd.functional.jacobian`` returns only zeros, or has no graph
# --------------------------------------------------------------------------
# Zeros mean that the result does not depend on the *argument* of the function. Use the
# argument inside: a function that reads a variable from outside, or makes a new tensor
# of numbers, gives zeros without an error. ``strict=True`` turns them into an error.
# The parameters of a model are such variables, too: pass them with ``functional_call``.
# ``jacrev`` has no ``strict``, and gives the same zeros.
#
# To train through a Jacobian, pass ``create_graph=True``. Without it, the result has no
# graph. ``jacrev`` keeps one if the input requires a gradient.
from torch.autograd import functional

leaf = torch.tensor([1.0, 2.0], requires_grad=True)
functions = {
    "a variable from outside": lambda _: leaf.square(),
    "torch.tensor(x.tolist())": lambda x: torch.tensor(x.tolist()).square(),
    "the argument": lambda x: x.square(),
}
any_entry = {
    name: functional.jacobian(f, leaf).any().item() for name, f in functions.items()
}
print(any_entry)
assert list(any_entry.values()) == [False, False, True]
for name in list(functions)[:2]:
    try:
        functional.jacobian(functions[name], leaf, strict=True)
    except RuntimeError as error:
        print(str(error).split(". ")[0])
    else:
        raise AssertionError("zeros were accepted")
square = functions["the argument"]
has_graph = {
    "jacobian": functional.jacobian(square, leaf).requires_grad,
    "create_graph=True": functional.jacobian(
        square, leaf, create_graph=True
    ).requires_grad,
    "jacrev": jacrev(square)(leaf).requires_grad,
}
print(has_graph)
assert list(has_graph.values()) == [False, True, True]

# %%
# The Jacobian of a batch has the shape ``(5, 1, 5, 2)``, and most of it is zero
# ------------------------------------------------------------------------------
# It contains the derivative of each output by the input of each *other* sample. Put
# ``vmap`` around it, so that the function sees one sample. (With batch norm in training
# mode, the others do have an influence, and ``vmap`` raises.) If each sample has only
# one output, one backward pass of the sum gives the same.
of_batch, of_samples = jacrev(small)(points), vmap(jacrev(small))(points)
print(tuple(of_batch.shape), tuple(of_samples.shape))
assert of_batch.shape == (5, 1, 5, 2)
own = of_batch[range(5), :, range(5)]
torch.testing.assert_close(own, of_samples)
assert (of_batch != 0).sum() <= own.numel()
leaf = points.clone().requires_grad_()
(of_sum,) = torch.autograd.grad(small(leaf).sum(), leaf)
torch.testing.assert_close(of_sum, of_samples[:, 0])


# %% tags=["hide-input"]
# Where it ends
# -------------
# ``inference_mode()`` inside the function cuts in both modes. Outside of
# ``torch.func``, the forward mode of ``torch.autograd.forward_ad`` treats ``no_grad()``
# as ``jacfwd`` does.
def with_inference_mode(x):
    with torch.inference_mode():
        constant = x.square()
    return x.square() - constant


for jacobian in (jacrev, jacfwd):
    assert jacobian(with_inference_mode)(point).diag().tolist() == [2, 4]

from torch.autograd import forward_ad

with forward_ad.dual_level():
    dual = forward_ad.make_dual(point, torch.ones(2))
    for function, expected in ((with_no_grad, [0, 0]), (with_detach, [2, 4])):
        tangent = forward_ad.unpack_dual(function(dual)).tangent
        assert tangent.tolist() == expected

# %%
# To freeze, pass a parameter as another argument. To cut, use ``detach()``. Source:
# :torch:`torch.func.grad`, which has a section on ``no_grad``.
#
# Related: :doc:`/gallery/three-ways/detach_is_not_no_grad`,
# :doc:`/gallery/modes/no_grad_inference_mode_enable_grad`,
# :doc:`/gallery/graph/gradients_of_some_inputs`.
