"""
``A view was created in no_grad mode and is being modified inplace``
====================================================================

A view was made under ``no_grad()`` and is written to outside: do both outside, or both
under it (for a trainable parameter, the latter). If the message goes on with ``multiple
views``, the cause is a loop over a tensor, or ``split()``: see the next section.
"""

# %%
import torch

w = torch.ones(3, requires_grad=True)
with torch.no_grad():
    view = w[:2]

# Wrong: only the write is outside of no_grad()
try:
    view.mul_(5)
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("the view was modified")

# Right: both under no_grad()
with torch.no_grad():
    w[:2].mul_(5)
print(w)
assert w.tolist() == [5, 5, 1]

# %%
# ``This view is the output of a function that returns multiple views``
# ---------------------------------------------------------------------
# Write into the whole tensor by index, or build it with ``torch.stack()``: then the
# gradient reaches the value that you write. Your code may have no ``no_grad()`` at all.
# The view comes from ``split()``, ``chunk()``, ``unbind()`` or a loop over a tensor
# that requires no gradient, often one of ``torch.zeros()``, and the value requires one.
# Under ``no_grad()`` the write raises no error, but the gradient is lost: that is right
# for an evaluation only.
#
# An example is ``for img, pad_img, m in zip(tensor_list, tensor, mask)`` with
# ``pad_img[...].copy_(img)`` in `DETR
# <https://github.com/facebookresearch/detr/blob/main/util/misc.py>`__ (read, not run).
# It raises the error if you train the images, as an adversarial attack does.
images = [torch.ones(n, requires_grad=True) for n in (2, 3)]
batch = torch.zeros(2, 4)
try:
    # Wrong: the loop makes the rows with unbind().
    for image, row in zip(images, batch, strict=True):
        row[: len(image)].copy_(image)
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("a view of several was modified")
# Right: the write goes into the batch.
for i, image in enumerate(images):
    batch[i, : len(image)].copy_(image)
# Right, too: each image is padded, and stack() makes the batch.
pad = torch.nn.functional.pad
stacked = torch.stack([pad(image, (0, 4 - len(image))) for image in images])
print(stacked)
assert stacked.equal(batch)
for result in (batch, stacked):
    gradients = torch.autograd.grad(result.sum(), images)
    assert [g.tolist() for g in gradients] == [[1, 1], [1, 1, 1]]

# %%
# - You can write into a ``clone()`` of a piece, but this does not change the tensor.
# - After such a write by index, computing with a piece from before raises this error,
#   except under ``no_grad()``. Split again.
# - If the tensor itself requires a gradient, the message begins with another name:
#   :doc:`is_a_view_and_is_being_modified_inplace`.
value = images[0].sum()


def message_of(call):
    try:
        call()
    except RuntimeError as error:
        return str(error)
    raise AssertionError("a view of several was used")


for split in (torch.split, torch.chunk, torch.unbind):
    table = torch.zeros(2, 2)
    piece = split(table, 1)[0]
    assert "multiple views" in message_of(lambda piece=piece: piece.add_(value))
    piece.clone().add_(value)
    assert not table.any()
    with torch.no_grad():
        piece.add_(value)
    assert table.any()
    assert not table.requires_grad
    table[0, 0] = value
    message = message_of(lambda piece=piece: piece * 2)
    assert message.startswith("A view was created in no_grad mode and its base or")
    with torch.no_grad():
        piece * 2
    split(table, 1)[0] * 2

# %%
# A write that is recorded
# ------------------------
# If the base is a result, make the view and write to it outside: the gradient then
# includes the factor. Under ``no_grad()`` the value changes, and the gradient does not
# include the change.
with torch.no_grad():
    w.fill_(1)
y = w * 2

# Wrong: only the write is recorded
with torch.no_grad():
    view = y[:2]
try:
    view.mul_(5)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("the view was modified")
assert message.startswith("A view was created in no_grad mode")

# Right: both outside
y[:2].mul_(5)
y.sum().backward()
print(w.grad)
assert w.grad.tolist() == [10, 10, 2]

y = w * 2
with torch.no_grad():
    y[:2].mul_(5)
y.sum().backward()
assert w.grad.tolist() == [12, 12, 4]

# %%
# The base was modified
# ---------------------
# The message then says ``its base or another view of its base has been modified``. The
# base may have been changed under ``no_grad()``, for example by ``optimizer.step()``.
# The error is raised where the view is used. Make a new view after each change.
with torch.no_grad():
    view = w[:2]
torch.optim.SGD([w], lr=0.1).step()

# Wrong: uses the view from before the step
try:
    view * 2
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("the view was used")

# Right: a new view, made where it is used
view = w[:2]
(view * 2).sum().backward()
print(w.grad)
assert w.grad.tolist() == [14, 14, 4]

# %%
# A view of a base that requires no gradient can be written to, unless the values that
# you write require one. A view of a trainable parameter that was made outside can't be
# written to outside either: ``a view of a leaf Variable that requires grad is being
# used in an in-place operation``.
base = torch.ones(3)
with torch.no_grad():
    view = base[:2]
view.mul_(5)
assert base.tolist() == [5, 5, 1]
for target, value, start in ((view, w[:2], "A view was"), (w[:2], 5, "a view of")):
    try:
        target.mul_(value)
    except RuntimeError as error:
        message = str(error)
    else:
        raise AssertionError("the view was modified")
    assert message.startswith(start)

# %%
# Read on: :doc:`/gallery/modes/views_under_no_grad_lie`.
