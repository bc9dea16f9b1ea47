"""
A frozen layer is recorded if its input needs a gradient
========================================================

"Frozen parameters are not recorded" is half of the rule. An operation is recorded if
any of its inputs needs a gradient, and the input of a middle layer usually does.
"""

# %%
# Is nothing recorded in a frozen layer?
# --------------------------------------
# The same frozen layer twice: on an image, and on the result of a layer that trains.
import torch

torch.manual_seed(0)
stem, frozen = torch.nn.Linear(4, 4), torch.nn.Linear(4, 2).requires_grad_(False)
image = torch.ones(1, 4)
first, middle = frozen(image), frozen(stem(image))
print("first: ", first.grad_fn)
print("middle:", middle.grad_fn.name())
assert first.grad_fn is None
assert middle.grad_fn.name() == "AddmmBackward0"

# %%
# Which input asked for it? The node has three: the bias, the input of the layer, and
# the weight. Only the input of the layer leads on, to the ``stem`` that trains.
ways = [node and node.name() for node, _ in middle.grad_fn.next_functions]
print(ways)
assert ways == [None, "AddmmBackward0", None]

# %%
# What is the record for, and what does it cost?
# ----------------------------------------------
# Through it the gradient reaches the ``stem``. For that, backward multiplies by the
# frozen weight. It computes no gradient of the frozen weight itself.
middle.sum().backward()
assert stem.weight.grad is not None
assert frozen.weight.grad is None


# %%
# So a frozen linear layer saves its weight, but not its input: only the gradient of the
# weight would need the input. These are the shapes it saves, frozen and not.
def shapes_saved(layer):
    hidden, saved = stem(image), []
    hooks = torch.autograd.graph.saved_tensors_hooks
    with hooks(lambda t: saved.append(tuple(t.shape)) or t, lambda t: t):
        layer(hidden)
    return saved


thawed = torch.nn.Linear(4, 2)
print("frozen: ", shapes_saved(frozen))
print("trained:", shapes_saved(thawed))
assert shapes_saved(frozen) == [(4, 2)]
assert shapes_saved(thawed) == [(1, 4), (4, 2)]

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

# %%
# Freeze from the front, and recording begins at the first layer that trains. Freeze in
# the middle, and the frozen layer is recorded, with part of the memory. The rule is in
# :torch:`Autograd mechanics <notes/autograd.html#setting-requires-grad>`. Where it says
# that what uses frozen parameters "would not be recorded in the forward pass", add: if
# no other input needs a gradient.
#
# Related: :doc:`/gallery/three-ways/through_or_blocked`,
# :doc:`/gallery/cost/frozen_layers_that_keep_their_input`,
# :doc:`/gallery/cost/memory_that_freezing_saves`.
