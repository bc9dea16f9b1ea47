"""
A typo in requires_grad freezes nothing, without an error
=========================================================

``model.requires_grad = False`` and ``p.require_grad = False`` raise no error and freeze
nothing. Python makes a new attribute, which PyTorch never reads.
"""

# %%
# Does ``model.requires_grad = False`` freeze the model?
# ------------------------------------------------------
# Many scripts have this line, and it looks right. It is read back as False, too. All
# four parameters still train.
import torch
from torch import nn


def new_model():
    return nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 1))


model = new_model()
model.requires_grad = False
print(model.requires_grad, [p.requires_grad for p in model.parameters()])
assert model.requires_grad is False
assert all(p.requires_grad for p in model.parameters())

# %%
# A tensor has a property of that name. A module has only the method
# ``requires_grad_()``, with an underscore at its end. So the line above gave the module
# a plain attribute. Python lets you add any, to a module and to a parameter.
assert isinstance(torch.Tensor.requires_grad, type(torch.Tensor.is_leaf))
assert not hasattr(nn.Module, "requires_grad")
assert "requires_grad" in vars(model)

# %%
# Which spellings freeze, and which only look like it?
# ----------------------------------------------------
# Each line runs on a new model. In those with ``p``, it runs for each ``p`` of
# ``model.parameters()``. Some miss by a letter. ``==`` compares. ``p.data``,
# ``p.detach()`` and ``state_dict()`` make another tensor, which has a flag of its own.
# ``eval()`` is about dropout and batch norm.
lines = [
    "model.requires_grad_(False)",
    "p.requires_grad = False",
    "p.requires_grad_(False)",
    "model.requires_grad = False",
    "model[0].requires_grad = False",
    "p.require_grad = False",
    "p.required_grad = False",
    "p.requires_grad == False",
    "p.requires_grad_ = False",
    "p.data.requires_grad = False",
    "p.detach().requires_grad_(False)",
    "model.state_dict()['0.bias'].requires_grad = False",
    "model.eval()",
]
frozen = {}
for line in lines:
    model = new_model()
    for p in model.parameters():  # noqa: B007 (the line uses it)
        exec(line)  # noqa: S102 (it is one of the lines above)
    frozen[line] = [not p.requires_grad for p in model.parameters()]
    print(f"{sum(frozen[line])} of 4  {line}")
assert [sum(flags) for flags in frozen.values()] == [4] * 3 + [0] * 10

# %%
# ``p.requires_grad_ = False`` does harm besides: it hides the method. A later
# ``p.requires_grad_(False)`` raises ``TypeError: 'bool' object is not callable``.
p = new_model()[0].weight
p.requires_grad_ = False
assert p.requires_grad
assert not callable(p.requires_grad_)

# %% tags=["hide-input"]
# How many of the four parameters each line freezes. The three at the top work.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for line, flags in frozen.items():
    works = all(flags)
    look = {"fc": "none", "ec": "C1", "hatch": "////"} if works else {"color": "C2"}
    ax.barh(line, sum(flags), lw=2, **look)
    if not works:
        ax.plot(0.1, line, "C2x", ms=8, mew=2)
ax.set(xlabel="frozen", xticks=range(5))
ax.invert_yaxis()
plt.show()

# %%
# Use the method with the underscore, on the module: ``model.requires_grad_(False)``
# (``requires_grad_`` in :torch:`torch.nn.Module`). Then count what still trains.
#
# Related: :doc:`freeze_by_name`, :doc:`did_my_freeze_work`,
# :doc:`/gallery/three-ways/filter_parameters_into_the_optimizer`.
