"""
A gradient that is not None can be incomplete: the graph shows the cut
======================================================================

If two paths lead to a layer and one is cut, its gradient is there, but a part of it is
missing. :py:func:`gradguide.graph` shows both paths: the cut one ends with
``no history``.
"""

# %%
import torch
from torch import nn

# Install it: pip install git+https://github.com/gradguide/gradguide
from gradguide import explain, graph

layer = nn.Linear(2, 1, bias=False)
hidden = layer(torch.ones(1, 2))
for loss in ((hidden * hidden).sum(), (hidden * hidden.detach()).sum()):
    gradient = torch.autograd.grad(loss, layer.weight, retain_graph=True)
    print(gradient[0] / hidden.detach())
print(graph(loss, layer))
assert str(graph(loss, layer)).count("no history") == 2

# %%
# How to read it
# --------------
# The loss is on top, and below each operation is what it was computed from. A chain
# without branches is one line with arrows. In the next network a backbone and a critic
# are frozen, and ``neck`` and ``gate`` train.
from functools import partial

torch.manual_seed(0)
linear = partial(nn.Linear, bias=False)
model = nn.ModuleDict(
    {
        "backbone": linear(4, 8).requires_grad_(False),
        "neck": linear(8, 8),
        "gate": linear(8, 8),
        "critic": linear(8, 1).requires_grad_(False),
    }
)
images = torch.randn(16, 4)


def compute_loss():
    hidden = model["neck"](model["backbone"](images).tanh())
    return model["critic"](hidden * model["gate"](hidden).sigmoid()).mean()


whole = graph(compute_loss(), model)
print(whole)
assert "critic.weight (1, 8) frozen" in str(whole)

# %%
# - ``frozen``: an operation keeps this weight, to compute the gradient of its input.
# - ``[1]``: two operations use this result. It is shown once, then referred to.
# - ``no history``: the path ends here. The result of the frozen backbone has none.
# - ``not recorded``: frozen, and no operation of the graph keeps it.
assert "not recorded: backbone.weight frozen" in str(whole)

# %%
# Where is it cut?
# ----------------
# The gate now reads ``hidden.detach()``. In place of ``[1]`` there is a second
# ``no history``, and the gradient comes back to ``neck`` by one path instead of two.


def compute_loss_detached():
    hidden = model["neck"](model["backbone"](images).tanh())
    return model["critic"](hidden * model["gate"](hidden.detach()).sigmoid()).mean()


cut = graph(compute_loss_detached(), model)
print(cut)
assert str(whole).count("no history") == 1
assert str(cut).count("no history") == 2

# %%
# :py:func:`gradguide.explain` finds no problem in either, since both losses reach
# ``neck`` and ``gate``. The gradients of ``neck`` differ.
gradients = []
for function in (compute_loss, compute_loss_detached):
    assert not explain(model, function).problems
    gradients += torch.autograd.grad(function(), model["neck"].weight)
assert not gradients[0].allclose(gradients[1])

# %% tags=["hide-input"]
# The graph with the cut as a picture, the loss on top, and far below it the two weights
# that train. Two paths end with ``no history``: one at the frozen backbone, and one
# where ``detach()`` cuts it, below the sigmoid of the gate. The critic's weight is
# marked ``frozen``.
import matplotlib.pyplot as plt

cut.draw()
plt.show()

# %%
# What if my graph is too large?
# ------------------------------
# ``depth`` shows what is near the loss, and counts the rest.
near = graph(compute_loss(), model, depth=3)
print(near)
assert len(near.parts) < len(whole.parts)

# %%
# Where it ends
# -------------
# - Look at each end with ``no history``. If it is neither data nor the result of
#   something frozen, the graph is cut there. The graph can't tell them apart: data and
#   a detached tensor look the same.
# - A cut may be intended, such as behind a target network.
# - A frozen weight that no operation keeps, such as a bias that is added, or a weight
#   of which autocast makes a copy, is ``not recorded``, although the gradient passes
#   through its layer.
assert str(graph(hidden * hidden.detach())) == str(graph(hidden * torch.ones(1, 1)))
body, head = nn.Linear(2, 2), nn.Linear(2, 1).requires_grad_(False)
both = nn.ModuleDict({"body": body, "head": head})
text = str(graph(head(body(torch.ones(1, 2))), both))
assert "head.weight (1, 2) frozen" in text
assert "not recorded: head.bias frozen" in text
with torch.autocast("cpu", torch.bfloat16):
    text = str(graph(head(body(torch.ones(1, 2))), both))
assert "not recorded: head.* frozen" in text

# %%
#
# Related: :doc:`why_is_my_gradient_none`, :doc:`where_did_the_memory_go`,
# :doc:`/gallery/three-ways/through_or_blocked`.
