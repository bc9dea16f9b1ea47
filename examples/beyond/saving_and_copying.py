"""
state_dict() keeps no flags: freeze again after loading
=======================================================

A checkpoint has values. Which parameters were frozen is not among them. Copies of whole
modules keep the flags, and results of a graph can't be copied or sent at all.
"""

# %%
# I saved a frozen model, and it trains after loading
# ---------------------------------------------------
# The values in a ``state_dict()`` are detached. What counts after ``load_state_dict()``
# are the flags of the model that loads.
import copy
import io
import pickle

import torch

saved = torch.nn.Linear(2, 1).requires_grad_(False)
loaded = torch.nn.Linear(2, 1)
loaded.load_state_dict(saved.state_dict())
print(saved.weight.requires_grad, loaded.weight.requires_grad)
assert torch.equal(saved.weight, loaded.weight)
assert loaded.weight.requires_grad

# %%
# So a frozen model that loads a checkpoint stays frozen, and takes the values. Also
# with ``assign=True``, which takes the tensors themselves.
for assign in (False, True):
    frozen = torch.nn.Linear(2, 1).requires_grad_(False)
    frozen.load_state_dict(torch.nn.Linear(2, 1).state_dict(), assign=assign)
    assert not frozen.weight.requires_grad


# %%
# Which copies keep the flag?
# ---------------------------
# All that copy a module or a parameter as a whole.
def through_a_file(thing):
    file = io.BytesIO()
    torch.save(thing, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


kept = {
    "load_state_dict": not loaded.weight.requires_grad,
    "deepcopy": not copy.deepcopy(saved).weight.requires_grad,
    "torch.save(module)": not through_a_file(saved).weight.requires_grad,
    "pickle(parameter)": not pickle.loads(pickle.dumps(saved.weight)).requires_grad,
    "module.double()": not copy.deepcopy(saved).double().weight.requires_grad,
}
print(kept)
assert [way for way, ok in kept.items() if not ok] == ["load_state_dict"]

# %%
# Square: the copy is frozen, too. Cross: it trains.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 2.8), layout="constrained")
for way, ok in kept.items():
    hatched = {"marker": "s", "fc": "none", "ec": "C1", "hatch": "//////"}
    ax.scatter(0, way, s=180, lw=2, **(hatched if ok else {"marker": "x", "c": "C2"}))
ax.set_xticks([0], ["frozen"])
ax.margins(0.5, 0.2)
ax.invert_yaxis()
plt.show()

# %%
# Why can't my model be copied? Only graph leaves support the deepcopy protocol
# -----------------------------------------------------------------------------
# A result hangs on its graph. A module that keeps an output as an attribute can't be
# copied for that reason.
model = torch.nn.Linear(2, 1)
model.cache = model(torch.ones(1, 2))
try:
    copy.deepcopy(model)
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("a result was copied")
model.cache = model.cache.detach()
copy.deepcopy(model)

# %%
# Cowardly refusing to serialize non-leaf tensor which requires_grad
# ------------------------------------------------------------------
# A graph does not cross the border of a process. This is what a queue, a pipe or a
# worker of a ``DataLoader`` runs into: it pickles what it sends.
from multiprocessing.reduction import ForkingPickler

import torch.multiprocessing  # teaches it to pickle tensors

result = torch.ones(2, requires_grad=True) * 2
try:
    ForkingPickler.dumps(result)
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("a result was sent")
ForkingPickler.dumps(result.detach())

# %%
# Without workers a ``DataLoader`` hands the graph on, unasked, and each batch leads
# back to what made it.
scale = torch.ones(1, requires_grad=True)
batch = next(iter(torch.utils.data.DataLoader([scale * i for i in range(2)])))
print(batch.requires_grad)
assert batch.requires_grad

# %%
# Write down what was frozen, beside the checkpoint, or freeze by rule after loading.
# Detach what leaves the process. Source: :torch:`Serialization semantics
# <notes/serialization.html>`.
#
# Related: :doc:`/gallery/detach/clone_and_detach`,
# :doc:`/gallery/detach/logging_a_loss`, :doc:`/gallery/freezing/freeze_a_backbone`.
