"""
Frozen during gradient accumulation, the weight still moves
===========================================================

Gradient accumulation adds up several backward passes before one step. Freeze in
between, and ``step()`` applies the part that was added before. Freeze after ``step()``
and ``zero_grad()``, or set ``.grad`` to None as well.
"""

# %%
# Frozen after the second of four micro-batches
# ---------------------------------------------
import torch

torch.manual_seed(0)
parts = torch.randn(4, 2, 2)
for clear in (False, True):
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for number, part in enumerate(parts):
        if number == 2:
            model.weight.requires_grad_(False)
            if clear:
                model.weight.grad = None
        (model(part).square().mean() / 4).backward()
    before = model.weight.clone()
    optimizer.step()
    print(f"{clear=} moved={not torch.equal(model.weight, before)}")
    assert torch.equal(model.weight, before) == clear

# %%
# The whole loop: freeze at the boundary
# --------------------------------------
# The boundary is after ``step()`` and ``zero_grad()``, where no gradient is left. Here
# the weight is frozen after two steps.
torch.manual_seed(0)
model = torch.nn.Linear(2, 1)
optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
accumulate, freeze_after, steps, weights = 4, 2, 0, []
for number, part in enumerate(torch.randn(16, 2, 2), 1):
    loss = model(part).square().mean() / accumulate
    loss.backward()
    if number % accumulate == 0:
        optimizer.step()
        optimizer.zero_grad()
        steps += 1
        weights.append(model.weight.tolist())
        if steps == freeze_after:
            model.weight.requires_grad_(False)
assert weights[0] != weights[1]
assert weights[1] == weights[2] == weights[3]

# %%
# Are four micro-batches the same as one batch?
# ---------------------------------------------
# Up to rounding, if each loss is divided by their number and is a mean over equally
# many elements. Neither a layer nor the loss may mix the samples of a batch, draw
# random numbers, or change in each forward, as spectral norm does in training mode.
model = torch.nn.Linear(2, 1)
batch = parts.flatten(0, 1)


def loss(inputs):
    return model(inputs).square().mean()


loss(batch).backward()
whole = model.weight.grad.clone()
model.zero_grad()
for part in batch.split(2):
    (loss(part) / 4).backward()
torch.testing.assert_close(model.weight.grad, whole)

# %%
# ``zero_grad()`` inside the accumulation loop
# --------------------------------------------
# If ``optimizer.zero_grad()`` is called for each micro-batch, ``step()`` gets the
# gradient of the last one only, divided by 4, without an error. The other three were
# computed for nothing. Call it once, directly after ``step()``. If the number of
# batches can't be divided by 4, the gradients of the last few are then still there when
# the next epoch begins, and join its first step: call ``step()`` or ``zero_grad()``
# after the loop.
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
kept = {}
for inside in (True, False):
    optimizer.zero_grad()
    for part in parts:
        if inside:
            optimizer.zero_grad()
        (loss(part) / 4).backward()
    kept[inside] = model.weight.grad.clone()
    print(f"{inside=}", "gradient of the whole batch:", kept[inside].allclose(whole))
(of_the_last,) = torch.autograd.grad(loss(parts[-1]) / 4, model.weight)
torch.testing.assert_close(kept[True], of_the_last)
torch.testing.assert_close(kept[False], whole)

optimizer.zero_grad()
for number, part in enumerate([*parts, *parts[:2]], 1):
    (loss(part) / 4).backward()
    if number % 4 == 0:
        optimizer.step()
        optimizer.zero_grad()
assert model.weight.grad is not None

# %%
# What is left in ``.grad``?
# --------------------------
# From the freeze on, nothing is added. What was added stays, and ``step()`` looks at
# ``.grad``, not at ``requires_grad``.
model.zero_grad()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
grown = []
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
# The norm of the gradient after each micro-batch: solid when the weight is not frozen,
# dashed when it is frozen after the second.
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
# Must I wait for the boundary?
# -----------------------------
# If you freeze in between, drop the gradient that is there. Unfreezing in between has
# the opposite fault: the gradient is that of the later parts only.
model.zero_grad()
for number, part in enumerate(parts):
    if number == 2:
        model.weight.requires_grad_(False).grad = None
    (loss(part) / 4).backward()
before = model.weight.clone()
optimizer.step()
assert torch.equal(model.weight, before)

model.zero_grad()
for number, part in enumerate(parts):
    if number == 2:
        model.weight.requires_grad_(True)
    (loss(part) / 4).backward()
(later,) = torch.autograd.grad(sum(loss(part) / 4 for part in parts[2:]), model.weight)
torch.testing.assert_close(model.weight.grad, later)

# %%
# Off by one, clipping, the scheduler, the last batch: the boundary in one place
# ------------------------------------------------------------------------------
# Clip, ``step()``, ``scheduler.step()``, ``zero_grad()`` and your freeze all belong to
# the boundary. Count from 1, or ``if i % accumulate == 0`` steps after the first
# micro-batch alone. Clip once, because clipped parts don't add up to the clipped sum. A
# scheduler that is called for each micro-batch comes to its end ``accumulate`` times
# too early. The last, smaller group needs a step of its own, and its own number.
model = torch.nn.Linear(2, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1)
batches, stepped = torch.randn(10, 2, 2), []
for number, part in enumerate(batches, 1):
    first = (number - 1) // 4 * 4
    (loss(part) / min(4, len(batches) - first)).backward()
    if number % 4 == 0 or number == len(batches):
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad()
        stepped.append(number)
print("right:", stepped)
print("wrong:", [i + 1 for i, _ in enumerate(batches) if i % 4 == 0])
assert stepped == [4, 8, 10]
assert scheduler.last_epoch == 3

clipped = {}
for each in (True, False):
    optimizer.zero_grad()
    for part in 10 * parts:
        (loss(part) / 4).backward()
        if each:
            torch.nn.utils.clip_grad_norm_(model.parameters(), 0.1)
    torch.nn.utils.clip_grad_norm_(model.parameters(), 0.1)
    clipped[each] = model.weight.grad.clone()
assert not clipped[True].allclose(clipped[False])

# %%
# Where is the boundary in a framework? (From their documentation, not run here.)
#
# - *accelerate*: inside ``with accelerator.accumulate(model):`` the prepared optimizer
#   and scheduler skip their calls until ``accelerator.sync_gradients`` is True. Freeze
#   behind ``zero_grad()``, if it is True.
# - *Trainer*: ``gradient_accumulation_steps``. Freeze in a callback, ``on_step_end()``;
#   ``on_substep_end()`` comes after a micro-batch.
# - *Lightning*: ``accumulate_grad_batches``. Freeze in ``on_train_epoch_start()``: on
#   the last batch of an epoch, it steps in any case (not so under DeepSpeed).
# - *DDP*: ``with model.no_sync():`` around all micro-batches but the last one.
#   :doc:`/gallery/beyond/two_backward_passes_under_ddp` says what freezing does there.
# - *DeepSpeed*: ``engine.is_gradient_accumulation_boundary()``.

# %%
# Where it ends
# -------------
# - ``LBFGS`` updates all parameters that it holds from its history, even where
#   ``.grad`` is None. Create it again without the frozen parameters.
# - ``zero_grad(set_to_none=False)`` leaves zeros. With momentum or weight decay, a step
#   still changes the weight: :doc:`/gallery/graph/zero_is_not_none`.
# - A batch norm in training mode normalises each part by itself, so that four parts
#   are not one batch. Nor are they if ``ignore_index`` leaves unequal numbers of
#   targets, or in a contrastive loss, which compares each sample only with those of
#   its part.
model.requires_grad_(True)
lbfgs = torch.optim.LBFGS(model.parameters(), lr=0.1)


def closure():
    model.zero_grad()
    value = sum(loss(part) / 4 for part in parts)
    value.backward()
    return value


lbfgs.step(closure)
model.weight.requires_grad_(False).grad = None
before = model.weight.clone()
lbfgs.step(closure)
assert model.weight.grad is None
assert not torch.equal(model.weight, before)

model.weight.requires_grad_(True)
decaying = torch.optim.AdamW([model.weight], lr=0.1)
loss(batch).backward()
decaying.zero_grad(set_to_none=False)
model.weight.requires_grad_(False)
before = model.weight.clone()
decaying.step()
assert not torch.equal(model.weight, before)

norm = torch.nn.BatchNorm1d(2)
assert not torch.allclose(norm(batch)[:2], norm(batch[:2]))
labels = torch.tensor([0, -100, 0, 1])
logits = torch.tensor([[2.0, 0.0]] * 4)
unequal = [
    torch.nn.functional.cross_entropy(*pair) / 2
    for pair in zip(logits.split(2), labels.split(2), strict=True)
]
assert sum(unequal) != torch.nn.functional.cross_entropy(logits, labels)


def contrastive(features):
    return torch.nn.functional.cross_entropy(
        features @ features.T, torch.arange(len(features))
    )


in_parts = sum(contrastive(part) / 4 for part in batch.split(2))
assert (contrastive(batch) - in_parts).abs() > 0.1
normed = torch.nn.utils.parametrizations.spectral_norm(torch.nn.Linear(64, 64))
assert not normed.weight.equal(normed.weight)

# %%
# Accumulation is described in the
# :torch:`notes on mixed precision <notes/amp_examples.html#gradient-accumulation>`.
#
# Related: :doc:`/gallery/still-moves/stale_gradients`,
# :doc:`/gallery/graph/gradients_accumulate`,
# :doc:`/gallery/graph/the_flag_is_read_twice`.
