"""
``appears to not have been used in the graph``
==============================================

``autograd.grad`` was asked for the gradient of a tensor that the loss was not computed
from. Often the loss was computed from another tensor with the same values. Ask for the
tensor that was used. If it is unused on purpose, pass ``allow_unused=True``.
"""

# %%
import torch

x = torch.ones(2, requires_grad=True)
# Wrong: x[0] is a new tensor, and the loss depends on x.
loss = x.square().sum()
try:
    torch.autograd.grad(loss, x[0])
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("the loss depended on x[0]")
# Right: ask for x, and index the gradient.
loss = x.square().sum()
(gradient,) = torch.autograd.grad(loss, x)
print(gradient[0])
assert gradient[0] == 2

# %%
# The loss was computed from another tensor
# -----------------------------------------
# ``x.to(...)`` is another tensor if it has to convert, and a second forward pass gives
# another result. After ``detach()``, the loss does not depend on ``x`` either.
layer = torch.nn.Linear(2, 1)
hidden = layer(x)
# Wrong: in each case, the loss depends on another tensor.
for loss, tensor in (
    (x.square().sum(), x.to(torch.float64)),
    (layer(x).sum(), hidden),
    (layer(x.detach()).sum(), x),
):
    try:
        torch.autograd.grad(loss, tensor)
    except RuntimeError as error:
        message = str(error)
    else:
        raise AssertionError("the loss depended on the tensor")
    assert "not have been used in the graph" in message
# Right: the loss is computed from the tensor that is asked for.
(gradient,) = torch.autograd.grad(hidden.square().sum(), hidden)
assert gradient.allclose(2 * hidden)

# %%
# PINN: ``x, t = data[:, :1], data[:, 1:]``, and the gradient of ``u`` by ``t``
# -----------------------------------------------------------------------------
# The network was called with ``data``, and ``t`` is another tensor, a slice of it.
# Slice first, then put the slices together and call the network with them. Or ask for
# the gradient of ``data`` and slice that. ``allow_unused=True`` is no cure: it gives
# None.
torch.manual_seed(0)
pinn = torch.nn.Sequential(
    torch.nn.Linear(2, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1)
)
data = torch.rand(5, 2, requires_grad=True)
t = data[:, 1:]
try:
    # Wrong: u was not computed from the slice.
    torch.autograd.grad(pinn(data).sum(), t, create_graph=True)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("u was computed from the slice")
assert "not have been used in the graph" in message
# Right: from the slices.
position, t = (part.detach().requires_grad_() for part in (data[:, :1], data[:, 1:]))
u = pinn(torch.cat([position, t], dim=1))
(by_t,) = torch.autograd.grad(u.sum(), t, create_graph=True)
# Right, too: the gradient of the whole, sliced.
(by_data,) = torch.autograd.grad(pinn(data).sum(), data, create_graph=True)
print(by_t.shape, by_t.allclose(by_data[:, 1:]))
assert by_t.allclose(by_data[:, 1:])
(second,) = torch.autograd.grad(by_t.sum(), t)
assert second.any()

# %%
# ``autograd.grad`` returns None for a slice of stacked parameters (``vmap``)
# ---------------------------------------------------------------------------
# ``for weight in params["weight"]`` makes new tensors, behind the forward pass. The
# losses were computed from the stack, so ``allow_unused=True`` gives None for each
# slice. Ask for the stack. The loss of one model does not depend on the weights of
# another one, so row ``i`` of the gradient of the summed losses is the gradient of
# model ``i``. Or take the slices first and stack them for the forward pass. Or let
# ``torch.func.grad`` inside ``vmap`` compute them, one model at a time.
from torch.func import functional_call, grad, stack_module_state, vmap

torch.manual_seed(0)
ensemble = [torch.nn.Linear(2, 1) for _ in range(3)]
params, buffers = stack_module_state(ensemble)


def loss_of(params, buffers, x):
    return functional_call(ensemble[0], (params, buffers), (x,)).square().sum()


each = vmap(loss_of, in_dims=(0, 0, None))
losses = each(params, buffers, x)
# Wrong: slices that were made after the forward pass.
wrong = [
    torch.autograd.grad(loss, weight, retain_graph=True, allow_unused=True)[0]
    for loss, weight in zip(losses, params["weight"], strict=True)
]
# Right: the stack, and its rows.
(right,) = torch.autograd.grad(losses.sum(), params["weight"])
print(wrong, right.shape)
assert wrong == [None, None, None]
# Right, too: slices from before the forward pass.
slices = [weight.detach().requires_grad_() for weight in params["weight"]]
losses = each({**params, "weight": torch.stack(slices)}, buffers, x)
for loss, weight, row in zip(losses, slices, right, strict=True):
    (gradient,) = torch.autograd.grad(loss, weight, retain_graph=True)
    assert gradient.allclose(row)
# Right, too: the gradient of each model inside vmap.
inside = vmap(grad(loss_of), in_dims=(0, 0, None))(params, buffers, x)
assert inside["weight"].allclose(right)

# %%
# A list of parameters, of which one is unused
# --------------------------------------------
# As in meta-learning, with ``model.parameters()``: one layer takes no part in this
# loss, such as a second head. ``allow_unused=True`` returns None for it, and with the
# names you see which one it is. Ask only for the others, or skip None in the update. If
# each parameter should take part, find out why it doesn't.
torch.manual_seed(0)
parts = {"body": torch.nn.Linear(2, 2), "head": torch.nn.Linear(2, 1)}
model = torch.nn.ModuleDict({**parts, "spare": torch.nn.Linear(2, 1)})
weights = dict(model.named_parameters())


def inner_loss():
    return model["head"](model["body"](torch.ones(1, 2))).square().sum()


# Wrong: all parameters, with those of a layer that the loss does not use.
try:
    torch.autograd.grad(inner_loss(), weights.values(), create_graph=True)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("the loss depended on each parameter")
assert "not have been used in the graph" in message
# Right: None for what is unused, and no update.
options = {"create_graph": True, "allow_unused": True}
gradients = torch.autograd.grad(inner_loss(), weights.values(), **options)
adapted = {
    name: weight if gradient is None else weight - 0.1 * gradient
    for (name, weight), gradient in zip(weights.items(), gradients, strict=True)
}
unused = [name for name, weight in weights.items() if adapted[name] is weight]
print(unused)
assert unused == ["spare.weight", "spare.bias"]

# %%
# A frozen parameter in the list raises another error, against which ``allow_unused`` is
# no cure: :doc:`one_of_the_differentiated_tensors_does_not_require_grad`. Leave it out.
model["body"].requires_grad_(False)
try:
    torch.autograd.grad(inner_loss(), weights.values(), **options)
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("a frozen parameter got a gradient")
asked = [weight for weight in weights.values() if weight.requires_grad]
gradients = torch.autograd.grad(inner_loss(), asked, **options)
assert [gradient is None for gradient in gradients] == [False, False, True, True]

# %%
# learn2learn, MAML: where do I set allow_unused and allow_nograd?
# ----------------------------------------------------------------
# In ``MAML(model, lr=0.01, allow_unused=True, allow_nograd=True)`` of
# ``learn2learn.algorithms``, or for one call in
# ``learner.adapt(loss, allow_unused=True)``. Both say what ``adapt()`` may meet among
# ``model.parameters()``:
#
# - ``allow_unused=True``: parameters that the loss does not depend on. They get None
#   and are not adapted.
# - ``allow_nograd=True``: frozen parameters. They are left out. ``allow_unused`` is
#   then True as well, if you don't set it (`documentation
#   <https://learn2learn.net/docs/learn2learn.algorithms>`__, not run).
#
# First look which ones are unused, as above. If it is the layer that you want to adapt,
# the flag only hides that ``detach()`` or ``no_grad()`` cut the graph. If it is a layer
# that you don't need, build the model without it, and no flag is needed. In a
# ``ViTModel`` of transformers it is the pooler, if the loss takes
# ``last_hidden_state``: pass ``add_pooling_layer=False``. With ``use_mask_token=True``
# it is the mask token, too. ``ViTForImageClassification`` has neither.

# %%
# requires_grad was set after the forward pass
# --------------------------------------------
# What the graph contains is decided in the forward pass. Set ``requires_grad`` before.
image = torch.ones(2)
# Wrong: the forward pass did not record anything for the image.
loss = layer(image).sum()
image.requires_grad_()
try:
    torch.autograd.grad(loss, image)
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("the image was in the graph")
# Right: the forward pass comes after requires_grad_().
loss = layer(image).sum()
(gradient,) = torch.autograd.grad(loss, image)
assert gradient.equal(layer.weight[0])

# %%
# The second derivative of linear layers
# --------------------------------------
# The gradient of a network of linear layers by its input is a product of its weights.
# It does not depend on the input, so the second derivative is zero, and the second call
# raises. ``materialize_grads=True`` returns the zeros. By the weights there is a second
# derivative. ReLU gives zeros without an error: a loss with second derivatives, as in a
# PINN, needs a smooth activation such as ``tanh``. The same holds for a single input
# that the output is linear in.
from torch import nn


def slope_of(activation):
    network = nn.Sequential(nn.Linear(2, 8), activation, nn.Linear(8, 1))
    (slope,) = torch.autograd.grad(network(x).sum(), x, create_graph=True)
    return slope.sum(), network[0].weight


# Wrong: nothing between the layers.
slope, weight = slope_of(nn.Identity())
try:
    torch.autograd.grad(slope, x)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("the slope depended on x")
assert "not have been used in the graph" in message
(curvature,) = torch.autograd.grad(slope, x, materialize_grads=True, retain_graph=True)
assert curvature.tolist() == [0, 0]
assert torch.autograd.grad(slope, weight)[0].any()
(curvature,) = torch.autograd.grad(slope_of(nn.ReLU())[0], x)
assert curvature.tolist() == [0, 0]
# Right, if you need the second derivative: a smooth activation.
(curvature,) = torch.autograd.grad(slope_of(nn.Tanh())[0], x)
print(curvature.any().item())
assert curvature.any()

# %%
# The tensor is unused on purpose
# -------------------------------
# With ``allow_unused=True`` its gradient is None, with ``materialize_grads=True`` it is
# zeros. ``backward(inputs=...)`` does not raise, and leaves ``.grad`` at None.
unused = torch.ones(1, requires_grad=True)
asked = [x, unused]
allowed = torch.autograd.grad(x.square().sum(), asked, allow_unused=True)
filled = torch.autograd.grad(x.square().sum(), asked, materialize_grads=True)
x.square().sum().backward(inputs=asked)
print(allowed[1], filled[1].item(), unused.grad)
assert allowed[1] is None
assert filled[1] == 0
assert unused.grad is None

# %%
# Read on: :doc:`/gallery/graph/gradients_of_some_inputs`.
