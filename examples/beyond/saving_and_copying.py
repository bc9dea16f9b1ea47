"""
state_dict() keeps no flags: freeze again after loading
=======================================================

A checkpoint holds values, not which parameters were frozen. A copy of a whole module
keeps the flags. A tensor with a graph can be neither copied nor sent.
"""

# %%
# I saved a frozen model, and it trains after loading
# ---------------------------------------------------
# The values in a ``state_dict()`` are detached. After ``load_state_dict()``, the model
# that loads has the flags that it had before.
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
# So a frozen model that loads a checkpoint stays frozen, also with ``assign=True``. But
# that puts other parameters in the place of the old ones: an optimizer that was made
# before trains tensors that the model no longer has.
for assign in (False, True):
    frozen = torch.nn.Linear(2, 1).requires_grad_(False)
    old = frozen.weight
    frozen.load_state_dict(torch.nn.Linear(2, 1).state_dict(), assign=assign)
    assert not frozen.weight.requires_grad
    assert (frozen.weight is not old) == assign


# %%
# Which copies keep the flag?
# ---------------------------
# Those that copy a module or a parameter as a whole.
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

# %% tags=["hide-input"]
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
# A result is tied to its graph, and ``deepcopy`` does not copy graphs. So a module that
# keeps an output as an attribute can't be copied. Detach the output before you keep it.
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
# A graph can't go from one process to another. A queue, a pipe and a worker of a
# ``DataLoader`` pickle what they send, and all raise this error.
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
# Without workers there is no error: the ``DataLoader`` hands the graph on, and each
# batch leads back to what made it.
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
