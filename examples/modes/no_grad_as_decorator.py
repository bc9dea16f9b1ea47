"""
Decorate functions and generators with no_grad, not classes
===========================================================

On a class, ``no_grad()`` covers the call that builds the object, and ``forward()``
records as before. Decorate ``forward()``, or another method that must not record.
"""

# %%
import torch
from torch import nn


@torch.no_grad()
class Wrong(nn.Linear):
    pass


class Right(nn.Linear):
    @torch.no_grad()
    def forward(self, x):
        return super().forward(x)


x, teacher, student = torch.ones(4, 3), Right(3, 2), nn.Linear(3, 2)
print(Wrong(3, 2)(x).requires_grad, teacher(x).requires_grad)
assert Wrong(3, 2)(x).requires_grad
assert not teacher(x).requires_grad

# %%
# PyTorch warns, and the decorated ``Wrong`` is a function: it can no longer be a base
# class, and ``isinstance(layer, Wrong)`` fails.
assert not isinstance(Wrong, type)

# %%
# With or without parentheses?
# ----------------------------
# Both work for ``no_grad``, ``enable_grad`` and ``inference_mode``, `since PyTorch 2.1
# <https://github.com/pytorch/pytorch/pull/107086>`_. Before, the parentheses were
# required. A ``with`` statement needs them in any version.
#
# ``TypeError: 'no_grad' object is not callable`` at ``@torch.no_grad()`` comes from
# PyTorch 0.4.0, where ``no_grad`` was a context manager only. It is a decorator `since
# 0.4.1 <https://github.com/pytorch/pytorch/pull/7737>`__ (read, not run). Upgrade, or
# write ``with torch.no_grad():`` inside the function. If you only delete the line, the
# results stay the same, but the evaluation records a graph and needs more memory.


@torch.no_grad
def predict(x):
    return student(x)


@torch.inference_mode
def stream(x):
    yield student(x)


assert not predict(x).requires_grad
assert not torch.no_grad()(student.forward)(x).requires_grad
assert [y.is_inference() for y in stream(x)] == [True]

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
# each ``yield``, so the student learns.

# the same as @torch.no_grad() above def targets
train(torch.no_grad()(targets), modes_decorated)
assert student.weight.grad is not None
assert modes_decorated == [False, True] * 3
assert modes_with == [False] * 6

# %% tags=["hide-input"]
# The solid line is the decorated generator: recording is off at each ``yield`` and on
# in the loop. The dashed line is the ``with`` block. It stays at ``False``.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
ax.plot(modes_decorated, "C0s-", mfc="white", ms=13, mew=2, label="@no_grad()")
ax.plot(modes_with, "C2x--", ms=10, mew=2, label="with no_grad()")
ax.set_xticks(range(6), ["yield", "loop"] * 3)
ax.set_yticks([0, 1], ["False", "True"])
ax.set(ylabel="is_grad_enabled()", ylim=(-0.9, 1.3))
ax.legend(loc="lower center", ncols=2)
plt.show()

# %%
# Where it ends
# -------------
# - The decorator covers the call. What is computed after the return is recorded: by the
#   generator expression, the ``map`` or the function that the call returned, and
#   :doc:`by an async def <no_grad_and_async>`.
# - The hooks of the module run outside a decorated ``forward()``, and what they compute
#   is recorded. So is the ``forward()`` of a subclass that has its own.
# - After a ``break``, a generator that is paused in its ``with`` block keeps recording
#   off until it is closed or deleted.


@torch.no_grad()
def predict_lazily(batches):
    return (student(batch) for batch in batches)


class Subclass(Right):
    def forward(self, x):
        return nn.functional.linear(x, self.weight, self.bias)


assert all(y.requires_grad for y in predict_lazily([x, x]))
assert Subclass(3, 2)(x).requires_grad

teacher.register_forward_hook(lambda module, _inputs, y: y * module.weight.sum())
assert teacher(x).requires_grad

generator = targets_with([])
for _ in generator:
    break
assert not torch.is_grad_enabled()
generator.close()
assert torch.is_grad_enabled()

# %%
# Related: :doc:`no_grad_and_async`, where the decorator does nothing;
# :doc:`/gallery/three-ways/backward_without_a_graph` for the error above; the `pull
# request <https://github.com/pytorch/pytorch/pull/89522>`_ that deprecates decorated
# classes. Source: :torch:`torch.no_grad`.
