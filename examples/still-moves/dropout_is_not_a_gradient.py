"""
Dropout is still on: no_grad() and freezing do not switch it off
================================================================

If a frozen network gives another output each time, look for dropout. ``eval()``
switches the module off. ``F.dropout`` needs ``training=self.training``.
"""

# %%
# How many of 1000 values does frozen dropout drop under ``no_grad()``, and in
# ``eval()``?
import torch
from torch.nn import functional

torch.manual_seed(1)
x = torch.ones(1000)
dropout = torch.nn.Dropout(0.5).requires_grad_(False)
with torch.no_grad():
    dropped = (dropout(x) == 0).sum().item()
kept = dropout.eval()(x)
print("no_grad():", dropped)
print("eval():", (kept == 0).sum().item())
assert 400 < dropped < 600
assert torch.equal(kept, x)


# %%
# I called ``eval()``, and it still drops
# ---------------------------------------
# ``F.dropout`` is a function, not a module, and does not know the mode. Its argument
# ``training`` is True by default.
class Model(torch.nn.Module):
    def forgets(self, x):
        return functional.dropout(x, 0.5)

    def passes_it_on(self, x):
        return functional.dropout(x, 0.5, training=self.training)


model = Model().eval()
forgotten = (model.forgets(x) == 0).sum().item()
passed_on = (model.passes_it_on(x) == 0).sum().item()
print("F.dropout(x):", forgotten)
print("F.dropout(x, training=self.training):", passed_on)
assert 400 < forgotten < 600
assert torch.equal(model.passes_it_on(x), x)

# %%
# ``F.scaled_dot_product_attention`` has no argument ``training``. In evaluation, pass
# zero: ``dropout_p=0.5 if self.training else 0.0``.
query = torch.ones(1, 1, 100, 8)
attend = functional.scaled_dot_product_attention
with torch.no_grad():
    attended = attend(query, query, query, dropout_p=0.5)
without_dropout = attend(query, query, query, dropout_p=0.0)
assert not torch.allclose(attended, without_dropout)
assert torch.equal(without_dropout, attend(query, query, query))

# %% tags=["hide-input"]
# How many of 1000 values are dropped. A bar: dropout is on. An empty row: it is off.
import matplotlib.pyplot as plt

counts = {
    "no_grad(): Dropout": dropped,
    "eval(): Dropout": (kept == 0).sum().item(),
    "eval(): F.dropout(x)": forgotten,
    "eval(): F.dropout(x, training=self.training)": passed_on,
}
_, ax = plt.subplots(figsize=(6, 2.6), layout="constrained")
ax.barh(list(counts), list(counts.values()), fc="none", ec="C2", lw=2)
ax.set(xlabel="dropped", xlim=(0, 1000))
ax.invert_yaxis()
plt.show()

# %%
# Accuracy drops after ``model.train()``, although the parameters are frozen
# --------------------------------------------------------------------------
# ``train()`` reaches the frozen part, too. Its dropout is on again, and its batch norm
# normalizes with the statistics of the batch and moves ``running_mean`` and
# ``running_var``, which the validation uses. To keep both off in the frozen part only,
# call ``eval()`` on it after each ``train()``: the rest stays in training mode.
parts = torch.nn.Linear(4, 4), torch.nn.BatchNorm1d(4), torch.nn.Dropout(0.5)
backbone = torch.nn.Sequential(*parts).requires_grad_(False)
network = torch.nn.Sequential(backbone, torch.nn.Linear(4, 1))
images = torch.randn(8, 4)
moved = {}
for way in ("train()", "train(), eval()"):
    network.train()  # wrong on its own
    if way == "train(), eval()":
        backbone.eval()  # right
    before = backbone[1].running_mean.clone()
    is_same = torch.equal(backbone(images), backbone(images))
    moved[way] = not torch.equal(backbone[1].running_mean, before)
    print(f"{way:16} same output: {is_same!s:6} running_mean moves: {moved[way]}")
    assert is_same == (not moved[way]) == (way == "train(), eval()")
assert network[1].training

# %%
# Where it ends
# -------------
# ``F.alpha_dropout`` has the opposite default and is off unless you pass
# ``training=True``. And dropout is not the only layer that draws random numbers:
# ``FractionalMaxPool2d`` does it in ``eval()``, too.
assert torch.equal(functional.alpha_dropout(x, 0.5), x)
assert not torch.equal(functional.alpha_dropout(x, 0.5, training=True), x)
pool = torch.nn.FractionalMaxPool2d(2, output_size=5).eval()
pixels = torch.arange(169.0).view(1, 1, 13, 13)
assert not all(torch.equal(pool(pixels), pool(pixels)) for _ in range(5))

# %%
# Use the module :torch:`torch.nn.Dropout`, or pass ``training=self.training`` to
# :torch:`torch.nn.functional.dropout`. Put a frozen part into ``eval()`` if its output
# must not vary.
#
# Related: :doc:`eval_is_not_no_grad`, :doc:`frozen_batch_norm_still_moves`,
# :doc:`/gallery/recipes/feature_cache`.
