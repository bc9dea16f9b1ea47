"""
Freezing between two micro-batches leaves half a gradient
=========================================================

Gradient accumulation adds up several backward passes before one step. Freeze in
between, and the part that is there already is applied, as if it were the whole.
"""

# %%
# Are four micro-batches the same as one batch?
# ---------------------------------------------
# Yes, if each loss is divided by their number, and the loss is a mean over equal parts.
import torch

torch.manual_seed(0)
model = torch.nn.Linear(2, 1)
batch = torch.randn(8, 2)


def loss(inputs):
    return model(inputs).square().mean()


loss(batch).backward()
whole = model.weight.grad.clone()
model.zero_grad()
for part in batch.split(2):
    (loss(part) / 4).backward()
torch.testing.assert_close(model.weight.grad, whole)

# %%
# What if you freeze after the second of four?
# --------------------------------------------
# From there on, nothing is added. What was added stays, and ``step()`` does not look at
# the flag.
model.zero_grad()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
parts, grown = batch.split(2), []
for number, part in enumerate(parts):
    if number == 2:
        model.weight.requires_grad_(False)
    (loss(part) / 4).backward()
    grown.append(model.weight.grad.norm().item())
before = model.weight.clone()
optimizer.step()
print("frozen:", not model.weight.requires_grad)
print("moved: ", not torch.equal(model.weight, before))
assert grown[1] == grown[2] == grown[3]
assert not torch.equal(model.weight, before)

# %% tags=["hide-input"]
# The length of the gradient after each micro-batch: solid when the weight is not
# frozen, dashed when it is frozen after the second.
import matplotlib.pyplot as plt

model.weight.requires_grad_(True)
model.zero_grad()
full = []
for part in parts:
    (loss(part) / 4).backward()
    full.append(model.weight.grad.norm().item())
_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
ax.plot(range(1, 5), full, "C0o-")
ax.plot(range(1, 5), grown, "C2x--", ms=9, mew=3)
ax.set(xlabel="micro-batches", ylabel="norm of .grad", xticks=range(1, 5), ylim=0)
plt.show()

# %%
# Freeze at the boundary, and clear the gradient
# ----------------------------------------------
# The boundary is after ``step()`` and ``zero_grad()``. If you must freeze in between,
# drop the gradient that is there.
model.zero_grad()
for number, part in enumerate(parts):
    if number == 2:
        model.weight.requires_grad_(False).grad = None
    (loss(part) / 4).backward()
before = model.weight.clone()
optimizer.step()
assert torch.equal(model.weight, before)

# %%
# The other way round, unfreezing in between gives a gradient from fewer parts, which is
# too small. Do that at the boundary, too. Accumulation is described in the
# :torch:`notes on mixed precision <notes/amp_examples.html#gradient-accumulation>`.
#
# Related: :doc:`/gallery/still-moves/stale_gradients`,
# :doc:`/gallery/graph/gradients_accumulate`,
# :doc:`/gallery/graph/the_flag_is_read_twice`.
