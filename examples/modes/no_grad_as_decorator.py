"""
Decorate functions and generators with no_grad, not classes
===========================================================

``no_grad()`` as a decorator switches recording off for each call, and for each step of
a generator. On a class it covers ``__init__`` alone. A ``with`` block in a generator
covers the caller, too.
"""

# %%
# With or without parentheses?
# ----------------------------
# Both work (:torch:`torch.no_grad`). `PyTorch 1.7
# <https://pytorch.org/docs/1.7.0/generated/torch.no_grad.html>`_ still required them.
import torch
from torch import nn

x, teacher, student = torch.ones(4, 3), nn.Linear(3, 2), nn.Linear(3, 2)


@torch.no_grad
def predict(x):
    return teacher(x)


assert not predict(x).requires_grad
assert not torch.no_grad()(teacher.forward)(x).requires_grad

# %%
# Can I decorate a whole class?
# -----------------------------
# PyTorch warns, and only the call that builds the object runs without recording.
# ``forward()`` records as before, and ``Teacher`` is no longer a class.


@torch.no_grad()
class Teacher(nn.Linear):
    def __init__(self):
        super().__init__(3, 2)
        self.recorded_in_init = torch.is_grad_enabled()


assert not Teacher().recorded_in_init
assert Teacher()(x).requires_grad
assert not isinstance(Teacher, type)

# %%
# Why does backward() fail after a loop over a generator?
# -------------------------------------------------------
# Targets need no gradient, so ``targets_with`` computes them under ``no_grad()``. But
# grad mode belongs to the thread. A ``yield`` pauses the generator without leaving the
# ``with`` block, so the body of the loop runs with recording off, too.


def targets(modes):
    for batch in [x, x, x]:
        modes.append(torch.is_grad_enabled())
        yield teacher(batch)


def targets_with(modes):
    with torch.no_grad():
        yield from targets(modes)


def train(generator, modes):
    loss = 0
    for target in generator(modes):
        modes.append(torch.is_grad_enabled())
        loss += nn.functional.mse_loss(student(x), target)
    loss.backward()


modes_with, modes_decorated = [], []
try:
    train(targets_with, modes_with)
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("the student learned under no_grad()")

# %%
# Decorated, the generator switches recording off when it resumes and restores it at
# each ``yield``. The solid line goes up and down, and the student learns. The dashed
# line is the ``with`` block. It stays at ``False``.
import matplotlib.pyplot as plt

# the same as @torch.no_grad() above def targets
train(torch.no_grad()(targets), modes_decorated)
assert student.weight.grad is not None
assert modes_decorated == [False, True] * 3
assert modes_with == [False] * 6
_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
ax.plot(modes_decorated, "C0s-", mfc="white", ms=13, mew=2, label="@no_grad()")
ax.plot(modes_with, "C2x--", ms=10, mew=2, label="with no_grad()")
ax.set_xticks(range(6), ["yield", "loop"] * 3)
ax.set_yticks([0, 1], ["False", "True"])
ax.set(ylabel="is_grad_enabled()", ylim=(-0.9, 1.3))
ax.legend(loc="lower center", ncols=2)
plt.show()

# %%
# Decorate functions, methods and generators. Of a class, decorate ``forward()`` or
# whichever method must not record.
#
# Related: :doc:`no_grad_and_async`, where the decorator does nothing;
# :doc:`/gallery/three-ways/backward_without_a_graph` for the error above; the `pull
# request <https://github.com/pytorch/pytorch/pull/89522>`_ that deprecates decorated
# classes.
