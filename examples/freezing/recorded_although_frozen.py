"""
A frozen layer is recorded if its input needs a gradient
========================================================

"Frozen parameters are not recorded" is half of the rule. Autograd records an operation
if any of its inputs needs a gradient, and the input of a middle layer usually does.
"""

# %%
import torch
from torch import nn

torch.manual_seed(0)
stem, frozen = nn.Linear(4, 4), nn.Linear(4, 2)
frozen.requires_grad_(False)
image = torch.ones(1, 4)
first, middle = frozen(image), frozen(stem(image))
print("of an image: ", first.grad_fn)
print("of the stem: ", middle.grad_fn.name())
assert first.grad_fn is None
assert middle.grad_fn.name() == "AddmmBackward0"

# %%
# Which input caused the record?
# ------------------------------
# The node has three inputs: the bias, the input of the layer, and the weight. The graph
# goes on from one of them, the input of the layer, to the ``stem`` that trains.
edges = [node and node.name() for node, _ in middle.grad_fn.next_functions]
print(edges)
assert edges == [None, "AddmmBackward0", None]

# %%
# What is the record for, and what does it cost?
# ----------------------------------------------
# Through it the gradient reaches the ``stem``. For that, backward multiplies by the
# frozen weight. It computes no gradient of the frozen weight itself.
middle.sum().backward()
assert stem.weight.grad is not None
assert frozen.weight.grad is None


# %%
# So a frozen linear layer saves its weight, but not its input, which only the gradient
# of the weight would need. These are the shapes it saves, frozen and not.
def saved_by(layer):
    hidden, saved = stem(image), []
    hooks = torch.autograd.graph.saved_tensors_hooks
    with hooks(lambda t: saved.append(t) or t, lambda t: t):
        layer(hidden)
    return [(tuple(t.shape), t.dtype, t.data_ptr() == hidden.data_ptr()) for t in saved]


print("frozen: ", [shape for shape, *_ in saved_by(frozen)])
print("trained:", [shape for shape, *_ in saved_by(nn.Linear(4, 2))])
assert [shape for shape, *_ in saved_by(frozen)] == [(4, 2)]
assert [shape for shape, *_ in saved_by(nn.Linear(4, 2))] == [(1, 4), (4, 2)]

# %% tags=["hide-input"]
# Above: the frozen layer comes first, and nothing is recorded. Below: it comes after a
# layer that trains, and the gradient (arrows) passes through it (hatched).
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 2.4), layout="constrained")
flow = {"arrowstyle": "->", "ec": "C3", "lw": 2}
for y, recorded in ((0, False), (1, True)):
    if recorded:
        ax.scatter(0, y, s=350, marker="s", fc="none", ec="C0", lw=2)
        ax.annotate("", (0.15, y), (0.85, y), arrowprops=flow)
        ax.annotate("", (1.15, y), (1.85, y), arrowprops=flow)
    else:
        ax.plot([1.15, 1.85], [y, y], "C2--", lw=2)
    ax.scatter(1, y, s=350, marker="s", fc="none", ec="C1", hatch="//////", lw=2)
    ax.scatter(2, y, s=200, marker="D", fc="none", ec="C3" if recorded else "C2", lw=2)
ax.set_xticks([0, 1, 2], ["stem", "frozen", "loss"])
ax.set_yticks([0, 1], ["frozen(image)", "frozen(stem(image))"])
ax.set_frame_on(False)
ax.margins(0.15, 0.4)
ax.invert_yaxis()
plt.show()

# %% tags=["hide-input"]
# Where it ends
# -------------
# - Under ``no_grad()`` nothing is recorded, and neither are results that have no
#   gradient, such as those of ``argmax`` or a comparison.
# - An image with ``requires_grad=True`` makes the first layer record, too.
# - Layer norm and activations such as GELU save their input, frozen or not: the
#   gradient of the input depends on it. Frozen batch norm saves it, too.
# - Under autocast a frozen linear layer saves a copy of its weight in the lower dtype.
with torch.no_grad():
    assert frozen(stem(image)).grad_fn is None
assert middle.argmax().grad_fn is None
assert (middle > 0).grad_fn is None
assert frozen(image.clone().requires_grad_(True)).grad_fn is not None
for layer in (nn.LayerNorm(4), nn.BatchNorm1d(4).eval(), nn.GELU()):
    layer.requires_grad_(False)
    assert any(is_input for *_, is_input in saved_by(layer))
with torch.autocast("cpu", dtype=torch.bfloat16):
    dtypes = [dtype for _, dtype, _ in saved_by(frozen)]
print(dtypes)
assert dtypes == [torch.bfloat16]

# %%
# If you freeze the first layers, and no input needs a gradient, recording begins at the
# first layer that trains. A frozen layer behind it is recorded. The rule is in
# :torch:`Autograd mechanics <notes/autograd.html#setting-requires-grad>`. Where it says
# that what uses frozen parameters "would not be recorded in the forward pass", add: if
# no other input needs a gradient.
#
# Related: :doc:`/gallery/three-ways/through_or_blocked`,
# :doc:`/gallery/cost/frozen_layers_that_keep_their_input`,
# :doc:`/gallery/cost/memory_that_freezing_saves`.
