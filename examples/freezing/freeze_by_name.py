"""
startswith("layer1") also freezes layer10
=========================================

Names of parameters are paths with dots. A prefix without its dot matches too much, an
exact name too little, and a layer in a plain list has no name at all.
"""

# %%
# Why is ``layer10`` frozen, too?
# -------------------------------
# Because ``"layer10.weight"`` begins with ``"layer1"``, too. Write the dot.
import re

import torch


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer1 = torch.nn.Linear(2, 2)
        self.layer10 = torch.nn.Linear(2, 2)
        self.hidden = [torch.nn.Linear(2, 2)]


def frozen_by(matches):
    net = Net()
    for name, parameter in net.named_parameters():
        if matches(name):
            parameter.requires_grad_(False)
    return [name for name, p in net.named_parameters() if not p.requires_grad]


too_much = frozen_by(lambda name: name.startswith("layer1"))
exact = frozen_by(lambda name: name == "layer1.weight")
right = frozen_by(lambda name: name.startswith("layer1."))
for found in (too_much, exact, right):
    print(found)
assert too_much == [
    "layer1.weight",
    "layer1.bias",
    "layer10.weight",
    "layer10.bias",
]
assert exact == ["layer1.weight"]
assert right == ["layer1.weight", "layer1.bias"]

# %%
# With ``re.match`` or ``in`` the dot is not enough: in a regular expression it stands
# for any character (write ``r"layer1\."``), and ``in`` finds it in mid-name.
assert re.match("layer1.", "layer10.weight")
assert not re.match(r"layer1\.", "layer10.weight")
name = "encoder.sublayer1.weight"
assert "layer1." in name

# %%
# Do I need names at all?
# -----------------------
# No. Take the layer by its path, and freeze it as a whole. A wrong path raises an
# error. A wrong pattern matches nothing and says nothing.
net = Net()
net.get_submodule("layer1").requires_grad_(False)
assert not net.layer1.weight.requires_grad
assert net.layer10.weight.requires_grad
assert frozen_by(lambda name: name.startswith("layers.1.")) == []
try:
    net.get_submodule("layer2").requires_grad_(False)
except AttributeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("there is a layer2")

# %%
# My layer has no name
# --------------------
# A layer in a plain list is no part of the module. It is frozen neither by name nor by
# ``net.requires_grad_(False)``, and ``net.parameters()`` doesn't give it to an
# optimizer. Put layers into an ``nn.ModuleList``.
net.requires_grad_(False)
names = [name for name, _ in net.named_parameters()]
print(names)
assert not any("hidden" in name for name in names)
assert net.hidden[0].weight.requires_grad

# %% tags=["hide-input"]
# What each pattern freezes (hatched) of the four parameters.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(6, 2.8), layout="constrained")
patterns = {
    'startswith("layer1")': too_much,
    '== "layer1.weight"': exact,
    'startswith("layer1.")': right,
}
for pattern, found in patterns.items():
    for name in names:
        look = {"ec": "C1", "hatch": "//////"} if name in found else {"ec": "C0"}
        ax.scatter(name, pattern, s=200, marker="s", fc="none", lw=2, **look)
ax.margins(0.15, 0.3)
ax.invert_yaxis()
plt.show()

# %%
# Freeze a module where you can, match ``"layer1."`` with its dot where you can't, and
# look at what was frozen. :py:func:`gradguide.freeze` takes ``"layer1"`` for the whole
# module, never for ``layer10``, and raises if nothing matches. Names come from
# ``named_parameters`` in :torch:`torch.nn.Module`.
#
# Related: :doc:`silent_typos`, :doc:`did_my_freeze_work`,
# :doc:`/gallery/three-ways/filter_parameters_into_the_optimizer`.
