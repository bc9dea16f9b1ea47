"""
An EMA teacher: frozen, and averaged under no_grad()
====================================================

The teacher is an exponential moving average of its student. It is frozen, and yet you
change its weights by hand. Forget ``no_grad()`` there, and the teacher becomes part of
the graph.
"""

# %%
# How is an EMA teacher updated?
# ------------------------------
# A frozen copy moves a tenth of the way to the student in each step.
import copy

import torch

torch.manual_seed(0)
student = torch.nn.Linear(2, 1)
teacher = copy.deepcopy(student).requires_grad_(False)
optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
inputs = torch.randn(32, 2)
gaps = []
for _ in range(30):
    target = teacher(inputs) + 1
    loss = torch.nn.functional.mse_loss(student(inputs), target)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        for old, new in zip(teacher.parameters(), student.parameters(), strict=True):
            old.lerp_(new, 0.1)
    gaps.append((student.bias - teacher.bias).item())
assert not teacher.weight.requires_grad
assert teacher.weight.grad is None

# %%
# Forgotten ``no_grad()``, frozen teacher: no error
# -------------------------------------------------
# When a tensor that requires a gradient is written into one that does not, the second
# becomes the result of a recorded operation. The frozen weight is no longer a leaf, and
# its graph grows with each step.
forgetful = copy.deepcopy(student).requires_grad_(False)
forgetful.weight.lerp_(student.weight, 0.1)
print(forgetful.weight.requires_grad, forgetful.weight.is_leaf)
assert forgetful.weight.requires_grad
assert not forgetful.weight.is_leaf
first_update = forgetful.weight.grad_fn
forgetful.weight.lerp_(student.weight, 0.1)
assert forgetful.weight.grad_fn.next_functions[0][0] == first_update

# %%
# So the target is no longer a constant. It leads back to the student, which learns to
# pull its teacher towards itself.
(leak,) = torch.autograd.grad(forgetful(inputs).sum(), student.weight)
assert leak.any()
constant = teacher(inputs)
assert not constant.requires_grad

# %%
# Forgotten ``no_grad()``, teacher not frozen: an error
# -----------------------------------------------------
# Here PyTorch refuses at once. So it is the freezing that makes the mistake silent.
trainable = copy.deepcopy(student)
try:
    trainable.weight.lerp_(student.weight, 0.1)
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("a leaf was changed")

# %% tags=["hide-input"]
# The student runs ahead of its teacher, and the teacher follows at a distance that
# settles.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
ax.plot(gaps, "C0.-")
ax.set(xlabel="step", ylabel="student.bias - teacher.bias", ylim=0)
plt.show()

# %%
# The same from the library
# -------------------------
# ``AveragedModel`` updates under ``no_grad()``. Its copy is not frozen, so freeze it: a
# target is recorded otherwise. Say ``use_buffers=True`` if the statistics of a batch
# norm are to be averaged, too.
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

average = AveragedModel(student, multi_avg_fn=get_ema_multi_avg_fn(0.9))
assert all(parameter.requires_grad for parameter in average.parameters())
average.requires_grad_(False)
average.update_parameters(student)
assert not average(inputs).requires_grad
assert not average.use_buffers

# %%
# Freeze the teacher, update it under ``no_grad()``, and put it into ``eval()`` for its
# targets. Sources: :torch:`torch.optim.swa_utils
# <optim.html#weight-averaging-swa-and-ema>`, `Mean teachers are better role models
# <https://arxiv.org/abs/1703.01780>`__.
#
# Related: :doc:`target_network_and_advantage`,
# :doc:`/gallery/modes/updating_weights_by_hand`,
# :doc:`stop_gradient_in_siamese_networks`.
