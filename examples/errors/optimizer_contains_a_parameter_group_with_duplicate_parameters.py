"""
``optimizer contains a parameter group with duplicate parameters``
==================================================================

A parameter is twice in one list, for example a tied weight, or a layer in two lists
that were added. Each ``step()`` updates it twice. Pass ``model.parameters()``, which
has each parameter once, or ``list(dict.fromkeys(parameters))``.
"""

# %%
import torch
from torch import nn

embed, out = nn.Embedding(5, 3), nn.Linear(3, 5, bias=False)
out.weight = embed.weight
# Wrong: the tied weight is in both lists.
parameters = [*embed.parameters(), *out.parameters()]
twice = torch.optim.SGD(parameters, lr=0.1)
# Right: each parameter once.
once = torch.optim.SGD(nn.ModuleList([embed, out]).parameters(), lr=0.1)
for optimizer in (twice, once):
    before = embed.weight.detach().clone()
    embed.weight.grad = torch.ones(5, 3)
    optimizer.step()
    print(f"{(embed.weight - before).mean():.1f}")
    factor = 2 if optimizer is twice else 1
    assert torch.allclose(embed.weight, before - 0.1 * factor)

# %%
# What is wrong besides the rate
# ------------------------------
# Adam counts two steps, and both go into its averages. ``clip_grad_norm_`` counts the
# gradient twice in the norm, and scales it twice. ``dict.fromkeys`` removes duplicates
# and keeps the order; a ``set`` would lose it.
import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    adam = torch.optim.Adam(parameters)
embed.weight.grad = torch.ones(5, 3)
adam.step()
print(adam.state[embed.weight]["step"].item())
assert adam.state[embed.weight]["step"] == 2

unique = list(dict.fromkeys(parameters))
for some in (parameters, unique):
    embed.weight.grad = torch.ones(5, 3)
    norm = torch.nn.utils.clip_grad_norm_(some, max_norm=1.0)
    print(f"{norm:.2f} {embed.weight.grad.norm():.2f}")
    assert norm.square().round() == 15 * len(some)
    assert (embed.weight.grad.norm() > 0.99) == (some is unique)

# %%
# In two groups it is an error
# ----------------------------
# The same parameter in two groups raises ``some parameters appear in more than one
# parameter group``. So the warning concerns one group only.
try:
    torch.optim.SGD([{"params": embed.parameters()}, {"params": out.parameters()}])
except ValueError as error:
    message = str(error)
else:
    raise AssertionError("two groups share a parameter")
assert message == "some parameters appear in more than one parameter group"

# %%
# The text promises an error in future since 2020 (`issue 40967
# <https://github.com/pytorch/pytorch/issues/40967>`__). Read on:
# :doc:`parameters_appear_in_more_than_one_parameter_group`,
# :doc:`/gallery/freezing/tied_weights`.
