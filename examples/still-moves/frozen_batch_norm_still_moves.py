"""
Frozen batch norm still moves: its running statistics
=====================================================

``requires_grad_(False)``, ``no_grad()`` and ``inference_mode()`` don't stop the running
mean of a batch norm. ``eval()`` does, and the next ``train()`` undoes that.
"""

# %%
# Why does the output of my frozen backbone change?
# -------------------------------------------------
# A batch norm has two parameters, which can be frozen, and buffers: the running mean
# and variance. In training mode the forward updates them. No gradient takes part in it,
# so no switch for gradients stops it.
import contextlib

import torch

torch.manual_seed(0)
batches = torch.randn(20, 64, 1) + 5


def running_means(norm, context=contextlib.nullcontext):
    means = [norm.running_mean.item()]
    for batch in batches:
        with context():
            norm(batch)
        means.append(norm.running_mean.item())
    return means


means = {
    "requires_grad_(False)": running_means(
        torch.nn.BatchNorm1d(1).requires_grad_(False)
    ),
    "no_grad()": running_means(torch.nn.BatchNorm1d(1), torch.no_grad),
    "inference_mode()": running_means(torch.nn.BatchNorm1d(1), torch.inference_mode),
    "eval()": running_means(torch.nn.BatchNorm1d(1).eval()),
}
for way, way_means in means.items():
    print(f"{way:22}{way_means[0]:5.2f} -> {way_means[-1]:.2f}")
assert means["eval()"] == [0.0] * 21
assert all(found[-1] > 4 for way, found in means.items() if way != "eval()")

# %% tags=["hide-input"]
# The running mean over 20 batches whose mean is 5. Dashed: the three ways that do not
# stop it, one on top of the other. Solid: ``eval()``.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
ax.plot(means["requires_grad_(False)"], "C2--", label="requires_grad_(False), ...")
ax.plot(means["eval()"], "C1", label="eval()")
ax.set(xlabel="forward passes", ylabel="running_mean")
ax.legend()
plt.show()

# %%
# I called ``eval()``, and it still moves
# ---------------------------------------
# ``model.train()`` at the top of the loop sets the mode of all modules in the model,
# also of the frozen ones.
model = torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.BatchNorm1d(1))
model[1].eval()
model.train()
print("training:", model[1].training)
assert model[1].training


# %%
# To keep the batch norms of a model in evaluation, override its ``train()``:
class Model(torch.nn.Sequential):
    def train(self, mode=True):
        super().train(mode)
        for module in self.modules():
            if isinstance(module, (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d)):
                module.eval()
        return self


model = Model(torch.nn.Linear(1, 1), torch.nn.BatchNorm1d(1)).train()
assert model.training
assert not model[1].training

# %%
# ``eval()`` freezes only half
# ----------------------------
# It stops the statistics. ``weight`` and ``bias`` still train, unless you also call
# ``requires_grad_(False)``.
norm = torch.nn.BatchNorm1d(1).eval()
norm(batches[0]).sum().backward()
assert norm.weight.grad is not None

# %%
# ``momentum=0`` is no substitute for ``eval()``. The statistics stay, but in training
# mode they are not used: the layer goes on normalising with the mean of the batch.
norm = torch.nn.BatchNorm1d(1, momentum=0.0)
in_train, in_eval = norm(batches[0]).mean(), norm.eval()(batches[0]).mean()
assert norm.running_mean.item() == 0
assert abs(in_train) < 1e-5
assert in_eval > 4

# %%
# A frozen batch norm needs both, ``requires_grad_(False)`` and ``eval()``.
# :py:func:`gradguide.freeze` does both, and holds against ``train()``. How the buffers
# are updated is in :torch:`torch.nn.BatchNorm1d`.
#
# Related: :doc:`other_buffers_that_move`, :doc:`eval_is_not_no_grad`,
# :doc:`/gallery/diagnose/will_it_really_stay_frozen`.
