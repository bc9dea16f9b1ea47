"""
A weight kept with detach() changes in training: use detach().clone()
=====================================================================

``clone()`` copies the memory and stays in the graph. ``detach()`` leaves the graph and
keeps the memory. For a copy outside the graph, use both, in either order.
"""

# %%
# Which of them is a snapshot?
# ----------------------------
# The optimizer writes to the memory of the weight, and ``detach()`` shares it.
import torch

weight = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
kept = {
    "weight": weight,
    "clone()": weight.clone(),
    "detach()": weight.detach(),
    "clone().detach()": weight.clone().detach(),
    "detach().clone()": weight.detach().clone(),
}
(weight**2).sum().backward()
torch.optim.SGD([weight], lr=0.25).step()
for way, t in kept.items():
    print(f"{way:17}{t.tolist()!s:11} requires_grad={t.requires_grad}")
own = {way: t.data_ptr() != weight.data_ptr() for way, t in kept.items()}
assert list(own.values()) == [False, True, False, True, True]

# %%
# The values of ``clone()`` are right, too, but it requires a gradient and holds the
# graph. Under ``no_grad()`` it does not, so there ``clone()`` alone is a snapshot.
assert [t.requires_grad for t in kept.values()] == [True, True, False, False, False]
assert kept["clone().detach()"].equal(kept["detach().clone()"])
assert kept["clone()"].grad_fn is not None
with torch.no_grad():
    assert not weight.clone().requires_grad

# %%
# Does the order matter?
# ----------------------
# Not to the result. A common belief is that ``clone()`` first copies the gradient and
# the graph, too. It adds one node, which saves no tensor and is freed when you detach.
# PyTorch recommends ``detach()`` first, without that node (:torch:`torch.tensor`).
saved = []
with torch.autograd.graph.saved_tensors_hooks(saved.append, lambda _: None):
    print(weight.clone().grad_fn.name(), weight.detach().clone().grad_fn)
assert saved == []
assert weight.clone().detach().grad_fn is None
assert weight.clone().detach().grad is None
for t in (weight, torch.ones(1, 3).expand(2, 3), torch.ones(6)[::2]):
    assert t.clone().detach().stride() == t.detach().clone().stride()

# %%
# What does a copy keep?
# ----------------------
# Values, dtype, device and, if the tensor has no gaps or overlaps, its strides. It does
# not keep ``requires_grad``, ``.grad`` or the class ``Parameter``. A copy of a slice
# takes only the memory of that slice, while a detached slice keeps the whole storage.
matrix = torch.nn.Parameter(torch.ones(1000, 3, dtype=torch.float64).T)
copied = matrix.detach().clone()
assert copied.stride() == matrix.stride() == (1, 3)
assert (copied.dtype, copied.device) == (matrix.dtype, matrix.device)
assert torch.ones(6)[::2].clone().stride() == (1,)
assert type(copied) is type(matrix.clone()) is torch.Tensor
part = matrix[:, :10].detach()
sizes = [t.untyped_storage().nbytes() for t in (part, part.clone())]
assert sizes == [24000, 240]

# %%
# When is clone() alone right?
# ----------------------------
# When the gradient must pass (:torch:`torch.clone`). You may write into the clone: what
# you don't overwrite still gets a gradient.
masked = weight.clone()
masked[0] = 0
(gradient,) = torch.autograd.grad(masked.sum(), weight)
assert gradient.tolist() == [0.0, 1.0]

# %%
# Is ``detach()`` necessary on ``x.grad``?
# ----------------------------------------
# Not after an ordinary ``backward()``: it records nothing, so ``x.grad`` has no graph
# and requires no gradient. But the next backward adds to the same memory, which a
# detached ``x.grad`` shares. For a copy, ``clone()`` alone is enough. After
# ``backward(create_graph=True)``, ``x.grad`` does have a graph, and ``detach()`` cuts
# it. The same is true for what ``autograd.grad`` returns.
x = torch.tensor([1.0, 2.0], requires_grad=True)
(x**2).sum().backward()
print(x.grad.requires_grad, x.grad.grad_fn)
assert not x.grad.requires_grad
shared, copied = x.grad.detach(), x.grad.clone()
(x**2).sum().backward()
print(shared, copied)
assert shared.tolist() == [4, 8]
assert copied.tolist() == [2, 4]
for create_graph in (False, True):
    loss = (x**2).sum()
    (gradient,) = torch.autograd.grad(loss, x, create_graph=create_graph)
    assert gradient.requires_grad == create_graph

# %% tags=["hide-input"]
# To the right: a tensor with memory of its own. Upwards: a tensor in the graph. Both
# orders, ``clone()`` first or ``detach()`` first, end at the lower right: memory of its
# own, no gradient. A solid square is in the graph, a dashed one is not.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
arrow = {"arrowstyle": "->", "lw": 2, "shrinkA": 22, "shrinkB": 22}
place = {way: (own[way], tensor.requires_grad) for way, tensor in kept.items()}
for first, second in [("clone()", "detach()"), ("detach()", "clone()")]:
    for start, end in [("weight", first), (first, f"{first}.{second}")]:
        ax.annotate("", place[end], place[start], arrowprops=arrow)
for way, (x, y) in place.items():
    line = {"ec": "C0"} if y else {"ec": "C2", "ls": "--"}
    ax.scatter(x, y, s=700, marker="s", fc="none", lw=2, **line)
    height = 1.32 if y else -0.55 if way == "detach().clone()" else -0.32
    ax.text(x, height, way, ha="center", va="center")
ax.set_xticks([0, 1], ["False", "True"])
ax.set_yticks([0, 1], ["False", "True"])
ax.set(xlabel="data_ptr() != weight.data_ptr()", ylabel="requires_grad")
ax.set(xlim=(-0.5, 1.5), ylim=(-0.8, 1.5))
plt.show()

# %%
# ``copy.deepcopy()``, ``clone()``, ``detach()``, ``copy_()`` or ``=``: which copy?
# ---------------------------------------------------------------------------------
# - ``b = a`` is no copy: two names for one tensor.
# - ``copy.copy(a)``, ``a.detach()`` and ``a.data`` are other tensors with the same
#   memory.
# - ``a.clone()`` has memory of its own, and a gradient that arrives at it goes on to
#   ``a``.
# - ``copy.deepcopy(a)`` of a leaf is a new leaf, with memory of its own. It keeps
#   ``requires_grad`` and the class ``Parameter``. A copy of a plain tensor also has a
#   copy of its ``.grad``, that of a ``Parameter`` has none. Of a result it raises an
#   error: :doc:`/reference/errors/only_tensors_created_explicitly_by_the_user`.
# - ``a.detach().clone()`` has memory of its own and nothing else.
# - ``b.copy_(a)`` writes the values into ``b``. It is recorded, and the gradient of
#   ``b`` goes to ``a``, unless you call it under ``no_grad()``.
import copy

original = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
original.grad = torch.ones(2)
written = torch.zeros(2)
copies = {
    "=": original,
    "copy.copy()": copy.copy(original),
    "clone()": original.clone(),
    "copy.deepcopy()": copy.deepcopy(original),
    "detach().clone()": original.detach().clone(),
    "copy_()": written.copy_(original),
}
print(f"{'':17}{'shared':8}{'requires_grad':15}is_leaf")
for way, t in copies.items():
    shares = t.data_ptr() == original.data_ptr()
    print(f"{way:17}{shares!s:8}{t.requires_grad!s:15}{t.is_leaf}")
shared = [way for way, t in copies.items() if t.data_ptr() == original.data_ptr()]
assert shared == ["=", "copy.copy()"]
assert [way for way, t in copies.items() if not t.is_leaf] == ["clone()", "copy_()"]
assert [way for way, t in copies.items() if not t.requires_grad] == ["detach().clone()"]
deep = copies["copy.deepcopy()"]
assert isinstance(deep, torch.nn.Parameter)
assert deep.grad is None
plain = torch.ones(2, requires_grad=True)
plain.grad = torch.ones(2)
deep = copy.deepcopy(plain)
assert deep.grad.equal(plain.grad)
assert deep.grad.data_ptr() != plain.grad.data_ptr()

# %%
# A whole model: ``copy.deepcopy(model)``, or ``load_state_dict()`` into a second one.
# ``copy.copy(model)`` and ``model2 = model`` share the parameters: both train together.
# The optimizer of the first model does not hold the parameters of the copy: make a new
# one for it.
model = torch.nn.Linear(2, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
shallow, deep = copy.copy(model), copy.deepcopy(model)
assert shallow.weight is model.weight
assert deep.weight is not model.weight
before = deep.weight.detach().clone()
deep(torch.ones(1, 2)).sum().backward()
optimizer.step()  # wrong: it has the parameters of model
assert deep.weight.equal(before)
torch.optim.SGD(deep.parameters(), lr=0.1).step()  # right
assert not deep.weight.equal(before)

# %%
# Features from a forward hook have no negative values: ``ReLU(inplace=True)``
# ----------------------------------------------------------------------------
# The hook has stored ``output.detach()``, and the next layer has overwritten that
# memory. In torchvision, ResNet and VGG are full of ``ReLU(inplace=True)``, and in a
# ResNet ``out += identity`` changes the output of a batch norm as well. Store
# ``output.detach().clone()``. If you compute a loss from the features, store
# ``output.clone()``, which passes the gradient.
torch.manual_seed(0)
net = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(inplace=True))
features = {}


def keep(layer, inputs, output):
    features["detach()"] = output.detach()  # wrong
    features["detach().clone()"] = output.detach().clone()  # right
    features["clone()"] = output.clone()  # right, for a loss


net[0].register_forward_hook(keep)
net(torch.randn(1, 1, 8, 8))
lowest = {way: t.min().item() for way, t in features.items()}
print({way: value < 0 for way, value in lowest.items()})
assert lowest["detach()"] == 0
assert lowest["detach().clone()"] == lowest["clone()"] < 0
features["clone()"].square().sum().backward()
assert net[0].weight.grad.any()

# %%
# Where it ends
# -------------
# A copy of a tensor from inference mode is a normal tensor only if you make it outside.
# And a snapshot is one tensor: for a whole model, copy the dictionary
# (:doc:`logging_a_loss`), because ``state_dict()`` shares the memory.
with torch.inference_mode():
    made_inside = torch.ones(2)
    copied_inside = made_inside.detach().clone()
assert copied_inside.is_inference()
assert not made_inside.detach().clone().is_inference()
layer = torch.nn.Linear(2, 1)
assert layer.state_dict()["weight"].data_ptr() == layer.weight.data_ptr()

# %%
# Write ``detach().clone()`` for a snapshot, ``detach()`` to read a value now, and
# ``clone()`` to change a copy that still passes the gradient.
#
# Related: :doc:`copying_a_tensor`, :doc:`logging_a_loss`,
# :doc:`/gallery/three-ways/detach_cuts_one_tensor`.
