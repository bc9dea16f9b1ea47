"""
nn.Parameter(frozen) trains again, and nn.Parameter(result) is cut off
======================================================================

``nn.Parameter(x)`` ignores ``x.requires_grad`` and the history of ``x``. The new
parameter requires a gradient, and what ``x`` was computed from gets none.
"""

# %%
import copy

import torch
from torch import nn

frozen = nn.Linear(2, 2).requires_grad_(False).weight
wrong = nn.Parameter(frozen)
right = copy.deepcopy(frozen)
for name, p in (("wrong", wrong), ("right", right)):
    shared = p.data_ptr() == frozen.data_ptr()
    print(f"{name}: {p.requires_grad=}, {shared=}")
assert wrong.requires_grad
assert wrong.data_ptr() == frozen.data_ptr()
assert not right.requires_grad
assert right.data_ptr() != frozen.data_ptr()

# %%
# ``nn.Parameter`` takes ``requires_grad=True`` unless you pass another value. And it
# makes no copy: both use the same memory, so training the new one also changes the
# frozen one.
kept = nn.Parameter(frozen.clone(), requires_grad=frozen.requires_grad)
assert not kept.requires_grad
before = frozen.clone()
wrong.sum().backward()
torch.optim.SGD([wrong], lr=0.1).step()
assert not torch.equal(frozen, before)

# %%
# I made a weight from another tensor, which doesn't train
# --------------------------------------------------------
# A parameter is a leaf: the graph ends there. If it is made from a result, the graph is
# cut between the loss and the tensors that the result was computed from, without an
# error. Compute the weight in the forward and pass it to a function, and the gradient
# arrives.
scale = torch.ones(2, requires_grad=True)
weight = nn.Parameter(scale * torch.ones(2, 2))
nn.functional.linear(torch.ones(1, 2), weight).sum().backward()
print("nn.Parameter:", scale.grad)
assert weight.is_leaf
assert weight.grad is not None
assert scale.grad is None

weight = scale * torch.ones(2, 2)
nn.functional.linear(torch.ones(1, 2), weight).sum().backward()
print("result:      ", scale.grad)
assert scale.grad is not None

# %% tags=["hide-input"]
# Above: ``nn.Parameter`` cuts the path from the loss to ``scale``. Below: the forward
# computes the weight.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 2.4), layout="constrained")
flow = {"arrowstyle": "->", "ec": "C3", "lw": 2}
for y, is_cut in ((0, True), (1, False)):
    ax.scatter(0, y, s=350, marker="s", fc="none", ec="C2" if is_cut else "C0", lw=2)
    ax.scatter(1, y, s=350, marker="s", fc="none", ec="C0" if is_cut else "0.3", lw=2)
    ax.scatter(2, y, s=200, marker="D", fc="none", ec="C3", lw=2)
    ax.annotate("", (1.15, y), (1.85, y), arrowprops=flow)
    if is_cut:
        ax.plot([0.15, 0.85], [y, y], "C2--", lw=2)
        ax.scatter(0.5, y, s=120, marker="x", color="C2", lw=3)
    else:
        ax.annotate("", (0.15, y), (0.85, y), arrowprops=flow)
ax.set_xticks([0, 1, 2], ["scale", "weight", "loss"])
ax.set_yticks([0, 1], ["nn.Parameter(scale * ...)", "scale * ..."])
ax.set_frame_on(False)
ax.margins(0.15, 0.4)
ax.invert_yaxis()
plt.show()

# %%
# My learnable parameter does not change: is it in ``parameters()``?
# ------------------------------------------------------------------
# A module registers an attribute only if it is an ``nn.Parameter``, an ``nn.Buffer`` or
# a module. A plain tensor with ``requires_grad=True`` gets a gradient, but no optimizer
# that is made from ``model.parameters()`` holds it, and it is not saved. The same goes
# for a list of parameters (use ``nn.ParameterList``), and for ``nn.Parameter(...)``
# followed by ``.cuda()``, ``.to(device)`` or ``* 0.1``, which is a result. Move the
# whole model, or write ``nn.Parameter(torch.ones(1, device=device))``. Where ``.to()``
# changes nothing, it returns the parameter itself, so the mistake appears only on the
# GPU; here ``.double()`` stands for it.
ATTRIBUTES = {
    "nn.Parameter(w)": nn.Parameter,
    "nn.ParameterList([w])": lambda w: nn.ParameterList([w]),
    "w.requires_grad_()": lambda w: w.requires_grad_(),
    "[nn.Parameter(w)]": lambda w: [nn.Parameter(w)],
    "nn.Parameter(w).double()": lambda w: nn.Parameter(w).double(),
    "nn.Parameter(w) * 0.1": lambda w: nn.Parameter(w) * 0.1,
}
registered = {}
for line, make in ATTRIBUTES.items():
    model = nn.Linear(1, 1)
    model.alpha = make(torch.ones(1))
    registered[line] = len(list(model.parameters())) == 3
    print(f"self.alpha = {line:26}{registered[line]}")
assert list(registered.values()) == [True, True, False, False, False, False]

# %%
# If it is registered and ``.grad`` is None, look at the line in ``forward()`` that uses
# it. All of these but the first only read the value, and cut the graph:
USES = {
    "x * alpha": lambda x, alpha: x * alpha,
    "x * alpha.data": lambda x, alpha: x * alpha.data,
    "x * alpha.detach()": lambda x, alpha: x * alpha.detach(),
    "x * alpha.item()": lambda x, alpha: x * alpha.item(),
    "x * float(alpha)": lambda x, alpha: x * float(alpha),
    "x * nn.Parameter(alpha)": lambda x, alpha: x * nn.Parameter(alpha),
    "x * torch.tensor([alpha])": lambda x, alpha: x * torch.tensor([alpha.item()]),
}
reached = {}
for line, use in USES.items():
    alpha, x = nn.Parameter(torch.ones(1)), torch.ones(2, requires_grad=True)
    use(x, alpha).sum().backward()
    reached[line] = alpha.grad is not None
    print(f"{line:27}{reached[line]}")
assert list(reached.values()) == [True] + [False] * 6

# %%
# ``nn.Parameter(requires_grad=False)`` or ``register_buffer()``?
# ---------------------------------------------------------------
# For a constant that never trains, ``register_buffer()``. Both are in the
# ``state_dict()``, and ``to()`` moves and converts both. But only the parameter is in
# ``parameters()``: it is counted as a parameter, given to the optimizer, and
# ``requires_grad_(True)`` of the module unfreezes it. Take the parameter for a weight
# that you may want to train later. A buffer may also be left out of the file
# (``persistent=False``), and the forward may assign it a new tensor.
module = nn.Module()
module.constant = nn.Parameter(torch.ones(2), requires_grad=False)
module.register_buffer("buffer", torch.ones(2))
module.to(torch.float64).requires_grad_(True)
print(list(module.state_dict()), [n for n, _ in module.named_parameters()])
print(module.constant.requires_grad, module.buffer.requires_grad)
assert list(module.state_dict()) == ["constant", "buffer"]
assert module.constant.dtype == module.buffer.dtype == torch.float64
assert [n for n, _ in module.named_parameters()] == ["constant"]
assert module.constant.requires_grad
assert not module.buffer.requires_grad
module.buffer = module.buffer + 1
assert [n for n, _ in module.named_buffers()] == ["buffer"]
module.register_buffer("left_out", torch.ones(2), persistent=False)
assert "left_out" not in module.state_dict()

# %%
# cannot assign as parameter 'weight'
# -----------------------------------
# A layer refuses a result in place of its parameter. Don't wrap it into
# ``nn.Parameter``, as the message suggests. Use a parametrization, or
# ``torch.func.functional_call``, which puts the result in for one forward.
layer = nn.Linear(2, 2)
try:
    layer.weight = scale * torch.ones(2, 2)
except TypeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("a result became a parameter")
scale.grad = None
weights = {"weight": scale * torch.ones(2, 2)}
torch.func.functional_call(layer, weights, torch.ones(1, 2)).sum().backward()
assert scale.grad is not None

# %%
# ParameterList, ParameterDict: freeze one entry, and why does my constant train?
# -------------------------------------------------------------------------------
# Both make an ``nn.Parameter`` of each plain tensor that they are given, with
# ``requires_grad=True``, also in ``append()`` and in an assignment. A constant that you
# put there trains. A parameter that is frozen stays as it is, so freeze an entry by
# ``weights[0].requires_grad_(False)``, and don't assign a new tensor to it later. For
# constants, take buffers. Like ``nn.Parameter(...)``, they drop the history of a
# result.
weights = nn.ParameterList([torch.ones(2), nn.Parameter(torch.ones(2), False)])
weights.append(torch.ones(2))
weights[2].requires_grad_(False)
print([p.requires_grad for p in weights])
assert [p.requires_grad for p in weights] == [True, False, False]
weights[2] = torch.zeros(2)  # a new parameter, which trains
named = nn.ParameterDict({"scale": torch.ones(2, requires_grad=True) * 2})
print(weights[2].requires_grad, named["scale"].requires_grad, named["scale"].is_leaf)
assert weights[2].requires_grad
assert named["scale"].is_leaf

# %%
# Make a buffer trainable later, or a parameter a buffer: attribute already exists
# --------------------------------------------------------------------------------
# Assign an ``nn.Parameter`` to the name, and the buffer becomes a parameter. The other
# way round, delete the parameter first. ``register_parameter()`` and
# ``register_buffer()`` refuse a name that is taken. The key in the ``state_dict()``
# stays the same, so old files can be loaded, unless the buffer was left out of them
# (``persistent=False``). An optimizer that was made before does not know the new
# parameter.
module = nn.Module()
module.register_buffer("anchors", torch.ones(2))
try:
    module.register_parameter("anchors", nn.Parameter(module.anchors.clone()))
except KeyError as error:
    message = error.args[0]
else:
    raise AssertionError("the name was free")
print(message)
assert message == "attribute 'anchors' already exists"
module.anchors = nn.Parameter(module.anchors.clone())  # right
print([n for n, _ in module.named_parameters()], [n for n, _ in module.named_buffers()])
assert [n for n, _ in module.named_parameters()] == ["anchors"]
assert not list(module.named_buffers())
value = module.anchors.detach().clone()
del module.anchors
module.register_buffer("anchors", value)  # and back
assert [n for n, _ in module.named_buffers()] == ["anchors"]
assert list(module.state_dict()) == ["anchors"]
module.register_buffer("left_out", torch.ones(2), persistent=False)
assert list(module.state_dict()) == ["anchors"]
module.left_out = nn.Parameter(module.left_out.clone())
assert "left_out" in module.state_dict()

# %%
# A tensor of my module stays on the CPU after ``model.to(device)``, and is not saved
# -----------------------------------------------------------------------------------
# ``self.mask = torch.ones(2)`` is a plain attribute: ``to()``, ``half()`` and
# ``state_dict()`` do not see it. On a GPU the forward then fails, because two tensors
# are on different devices. Use ``register_buffer()``. A conversion to ``float64``
# stands for the other device here.


class Masked(nn.Module):
    def __init__(self):
        super().__init__()
        self.plain = torch.ones(2)  # wrong
        self.register_buffer("buffer", torch.ones(2))  # right


masked = Masked().to(torch.float64)
print(masked.plain.dtype, masked.buffer.dtype, list(masked.state_dict()))
assert masked.plain.dtype == torch.float32
assert masked.buffer.dtype == torch.float64
assert list(masked.state_dict()) == ["buffer"]

# %%
# Where it ends
# -------------
# - ``nn.Parameter(integers)`` raises an error. Pass ``requires_grad=False``.
# - ``layer.weight.data = result`` is not refused, and it cuts the graph, too.
integers = torch.tensor([1, 2])
try:
    nn.Parameter(integers)
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("integers require a gradient")
assert not nn.Parameter(integers, requires_grad=False).requires_grad
scale.grad = None
layer.weight.data = scale * torch.ones(2, 2)
layer(torch.ones(1, 2)).sum().backward()
assert scale.grad is None

# %%
# Source: :torch:`torch.nn.parameter.Parameter`.
#
# Related: :doc:`tied_weights`, :doc:`parametrized_and_lazy_layers`,
# :doc:`/gallery/graph/leaf_or_not`.
