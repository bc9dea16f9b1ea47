"""
Did my freeze work? Compare values before and after a step
==========================================================

A flag says what should happen, the values say what did. Copy them, make a real training
step, and compare: parameters and buffers, both.
"""

# %%
# Compare by hand
# ---------------
# ``state_dict()`` has parameters and buffers. It holds the tensors themselves, which
# the step changes, so clone them. Here the first two layers are meant to stay.
import torch

# Install it: pip install git+https://github.com/gradguide/gradguide
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
# The two parameters of the batch norm stayed. Its statistics moved all the same: they
# are buffers, and the forward updates them.

# %%
# The version counter does not tell
# ---------------------------------
# ``_version`` counts writes that autograd knows of. Batch norm updates its mean and
# variance without it, so an unchanged counter proves nothing.
version, mean = model[1].running_mean._version, model[1].running_mean.clone()
train_step()
print(model[1].running_mean._version - version)
assert model[1].running_mean._version == version
assert not torch.equal(model[1].running_mean, mean)

# %%
# The same in one line, or before the step
# ----------------------------------------
# :py:func:`gradguide.changed` compares before and after a block.
# :py:func:`gradguide.explain` says before the step what will move: here three buffers
# with 7 numbers.
with gradguide.changed(model) as names:
    train_step()
assert sorted(names) == sorted(moved)
report = gradguide.explain(model, optimizer=optimizer)
print(report.problems)
assert {row.verdict for row in report.problems} == {"moves"}

# %%
# Freeze for real, and look again: only the last layer moves. By hand that is
# ``model[1].eval()`` after each ``train()``. :py:func:`gradguide.freeze` holds the
# statistics even in ``train()``.
gradguide.freeze(model, "0", "1")
with gradguide.changed(model.train()) as names:
    train_step()
print(names)
assert names == ["2.weight", "2.bias"]

# %% tags=["hide-input"]
# How far each tensor moved in the first step. The frozen parameters (hatched squares)
# did not move. The statistics (dashed) have no flag.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5.5, 3), layout="constrained")
parameters = dict(model.named_parameters())
for name, old in before.items():
    if not old.is_floating_point():  # the number of batches
        continue
    look = {"ec": "C0"} if name in parameters else {"ec": "C2", "ls": "--"}
    distance = (after[name] - old).abs().max().item()
    ax.barh(name, distance, fc="none", lw=2, **look)
    if not distance:
        still = {"marker": "s", "fc": "w", "ec": "C1", "hatch": "//////"}
        ax.scatter(0, name, s=100, lw=2, zorder=3, clip_on=False, **still)
ax.set(xlabel="max |change|")
ax.invert_yaxis()
plt.show()

# %%
# Put this comparison into your tests: one step, then compare. Buffers that are not
# persistent are missing from ``state_dict()``; ``named_buffers()`` has them, too
# (:torch:`torch.nn.Module`).
#
# Related: :doc:`freeze_by_name`, :doc:`/gallery/still-moves/stale_gradients`,
# :doc:`/gallery/diagnose/will_it_really_stay_frozen`.
