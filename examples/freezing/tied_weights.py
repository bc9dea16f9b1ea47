"""
Tied weights are one tensor with one flag
=========================================

If the output layer of a language model uses the weight of its embedding, freezing one
freezes the other. To let only one use learn, ``detach()`` the other in the forward.
"""

# %%
# I froze the embedding, and the output layer is frozen, too
# ----------------------------------------------------------
# There is one parameter. ``named_parameters()`` lists it once, ``state_dict()`` twice.
import copy

import torch
from torch.nn import functional


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(5, 3)
        self.output = torch.nn.Linear(3, 5, bias=False)
        self.output.weight = self.embedding.weight

    def forward(self, ids):
        return self.output(self.embedding(ids))


torch.manual_seed(0)
model = Model()
model.embedding.requires_grad_(False)
names = [name for name, _ in model.named_parameters()]
print(names, list(model.state_dict()))
assert not model.output.weight.requires_grad
assert names == ["embedding.weight"]
assert list(model.state_dict()) == ["embedding.weight", "output.weight"]

# %%
# The gradients of both uses add up
# ---------------------------------
# The weight is used twice, and each use contributes a gradient. Detach one use at a
# time to see the other's part: the two parts sum to the whole.
weight = model.embedding.weight.requires_grad_(True)
ids = torch.tensor([0, 1])


def gradient(lookup, projection):
    weight.grad = None
    functional.linear(functional.embedding(ids, lookup), projection).sum().backward()
    return weight.grad


both = gradient(weight, weight)
as_output = gradient(weight.detach(), weight)
as_lookup = gradient(weight, weight.detach())
torch.testing.assert_close(as_output + as_lookup, both)
rows = {"both": both, "output only": as_output, "embedding only": as_lookup}
rows = {name: found.abs().sum(1).gt(0).tolist() for name, found in rows.items()}
for name, found in rows.items():
    print(f"{name:16}{found}")
assert rows["output only"] == [True] * 5
assert rows["embedding only"] == [True, True, False, False, False]

# %% tags=["hide-input"]
# Which of the five rows get a gradient (open squares): from the embedding the two that
# were looked up, from the output layer all.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 2.6), layout="constrained")
for name, found in rows.items():
    for row, got in enumerate(found):
        look = {"ec": "C0"} if got else {"ec": "C1", "hatch": "//////"}
        ax.scatter(row, name, s=250, marker="s", fc="none", lw=2, **look)
ax.set(xlabel="row", xticks=range(5))
ax.margins(0.15, 0.3)
ax.invert_yaxis()
plt.show()

# %%
# Untie them, and each has its own flag
# -------------------------------------
# Give the output layer a new parameter, made from a clone. Copying the model doesn't
# untie: in the ``deepcopy`` the two share one weight again.
tied = copy.deepcopy(model)
assert tied.output.weight is tied.embedding.weight
model.output.weight = torch.nn.Parameter(weight.detach().clone())
model.embedding.requires_grad_(False)
assert model.output.weight.requires_grad

# %%
# Decide what should learn: the shared tensor, one of its uses (``detach()`` the other
# in the forward), or one of two separate tensors. Source: ``named_parameters`` and its
# ``remove_duplicate`` in :torch:`torch.nn.Module`.
#
# Related: :doc:`nn_parameter_unfreezes`, :doc:`freeze_by_name`,
# :doc:`/gallery/three-ways/detach_cuts_one_tensor`.
