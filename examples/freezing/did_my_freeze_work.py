"""
Did my freeze work? Compare values before and after a step
==========================================================

A flag says what should happen. The values say what did. Take a fingerprint, make a real
step, and compare: parameters and buffers, both.
"""

# %%
# A fingerprint by hand
# ---------------------
# ``state_dict()`` has parameters and buffers. It holds references, so clone them. Here
# the first two layers are meant to stay.
import torch

import gradguide

torch.manual_seed(0)
model = torch.nn.Sequential(
    torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 2)
)
model[:2].requires_grad_(False)
optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
images = torch.randn(16, 4)


def train_step():
    optimizer.zero_grad()
    model(images).square().mean().backward()
    optimizer.step()


before = {name: value.clone() for name, value in model.state_dict().items()}
train_step()
after = {name: value.clone() for name, value in model.state_dict().items()}
moved = [name for name in before if not torch.equal(before[name], after[name])]
print(moved)
assert moved == [
    "1.running_mean",
    "1.running_var",
    "1.num_batches_tracked",
    "2.weight",
    "2.bias",
]

# %%
# The batch norm is frozen by its flags and moved all the same: its statistics are
# buffers.

# %%
# The version counter does not tell
# ---------------------------------
# ``_version`` counts writes that autograd knows of. The update of the statistics goes
# past it, so an unchanged counter proves nothing.
version, mean = model[1].running_mean._version, model[1].running_mean.clone()
train_step()
print(model[1].running_mean._version - version)
assert model[1].running_mean._version == version
assert not torch.equal(model[1].running_mean, mean)

# %%
# The same in one line, and what will happen
# ------------------------------------------
# :py:func:`gradguide.changed` takes the fingerprint for a block.
# :py:func:`gradguide.explain` says it before the step.
with gradguide.changed(model) as names:
    train_step()
assert sorted(names) == sorted(moved)
report = gradguide.explain(model, optimizer=optimizer)
print(report.problems)
assert {row.verdict for row in report.problems} == {"moves"}

# %%
# Freeze for real, and look again: only the last layer moves.
gradguide.freeze(model, "0", "1")
with gradguide.changed(model.train()) as names:
    train_step()
print(names)
assert names == ["2.weight", "2.bias"]

# %%
# How far each tensor moved in the first step. Hatched: its flag says frozen. The
# statistics (dashed) have no flag.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5.5, 3), layout="constrained")
flags = {name: p.requires_grad for name, p in model.named_parameters()}
frozen, trained = {"ec": "C1", "hatch": "////"}, {"ec": "C0"}
for name, old in before.items():
    if old.is_floating_point():  # all but the number of batches
        look = trained if flags.get(name) else frozen
        look = look if name in flags else {"ec": "C2", "ls": "--"}
        distance = (after[name] - old).abs().max().item()
        ax.barh(name, distance + 0.005, fc="none", lw=2, **look)
ax.set(xlabel="max |change|")
ax.invert_yaxis()
plt.show()

# %%
# Put the fingerprint into your test suite: one step, then compare. Buffers are in
# ``state_dict()`` as :torch:`torch.nn.Module` says, unless they are not persistent.
#
# Related: :doc:`freeze_by_name`, :doc:`/gallery/still-moves/stale_gradients`,
# :doc:`/gallery/diagnose/will_it_really_stay_frozen`.
