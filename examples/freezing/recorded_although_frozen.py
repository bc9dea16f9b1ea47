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
# Who asked for it? The node has three inputs: the bias, the input of the layer, and the
# weight. Only one leads on, and it leads to the stem.
ways = [node and node.name() for node, _ in middle.grad_fn.next_functions]
print(ways)
assert ways == [None, "AddmmBackward0", None]

# %%
# What it costs, and what it gives
# --------------------------------
# The record is what lets the gradient through to the stem. Backward multiplies by the
# frozen weight for it, and computes nothing for the weight itself.
middle.sum().backward()
assert stem.weight.grad is not None
assert frozen.weight.grad is None


# %%
# A linear layer keeps its weight for that, and not its input: only the gradient of the
# weight would need the input. Here the saved tensors, with the layer frozen and not.
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

# %%
# Above: frozen first, nothing is recorded. Below: behind a layer that trains, the
# gradient (arrows) passes the frozen layer (hatched).
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
# Freeze from the front, and the record begins where learning begins. Freeze in the
# middle, and expect the record, and part of its memory. The rule is in
# :torch:`Autograd mechanics <notes/autograd.html#setting-requires-grad>`; read its
# sentence on frozen parameters with "if no other input needs a gradient".
#
# Related: :doc:`/gallery/three-ways/through_or_blocked`,
# :doc:`/gallery/cost/frozen_layers_that_keep_their_input`,
# :doc:`/gallery/cost/memory_that_freezing_saves`.
