"""
``A view was created in no_grad mode and is being modified inplace``
====================================================================

A view was made under ``no_grad()`` and is written to while grad mode is on. If the
write is to be recorded, do both outside; if not, do both under ``no_grad()``. For a
view of a trainable parameter, do both under ``no_grad()``.
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
