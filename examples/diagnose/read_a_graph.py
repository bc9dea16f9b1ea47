"""
The graph shows a cut that leaves no gradient None
==================================================

If two paths lead to a layer and one is cut, its gradient is there and wrong.
:py:func:`gradguide.graph` shows each path, as text or as a picture.
"""

# %%
# How to read it
# --------------
# The loss is on top, and below each operation is what it was computed from. A chain
# without branches is one line with arrows. Here a backbone and a critic are frozen, and
# ``neck`` and ``gate`` train.
from functools import partial

import torch
from torch import nn

# Install it: pip install git+https://github.com/gradguide/gradguide
from gradguide import explain, graph

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
# - ``frozen``: the gradient is computed with this weight, and goes on to what comes
#   before.
# - ``[1]``: two operations use this result. It is shown once, then referred to.
# - ``no history``: the path ends here. What the frozen backbone returns has none.
# - ``not recorded``: frozen, and autograd kept nothing of it.

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
# :py:func:`gradguide.explain` finds no problem in either, since both losses reach all
# that trains. The gradients differ all the same.
gradients = []
for function in (compute_loss, compute_loss_detached):
    assert not explain(model, function).problems
    gradients += torch.autograd.grad(function(), model["neck"].weight)
assert not gradients[0].allclose(gradients[1])

# %% tags=["hide-input"]
# The graph with the cut as a picture, the loss on top, and far below it the two weights
# that train. Two paths end with ``no history``: one at the frozen backbone, and one at
# the cut, below the gate's sigmoid. The critic's weight is marked ``frozen``.
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
# Look at each end with ``no history``. It should be data or the result of something
# frozen. One that is neither is a cut.
#
# Related: :doc:`why_is_my_gradient_none`, :doc:`where_did_the_memory_go`,
# :doc:`/gallery/three-ways/through_or_blocked`.
