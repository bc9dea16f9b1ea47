"""
no_grad() does not switch dropout off
=====================================

If a frozen network gives another output each time, dropout is on. ``train()`` and
``eval()`` switch it, ``no_grad()`` doesn't, and ``F.dropout`` obeys none of them.
"""

# %%
# Why does my frozen network give another output each time?
# ---------------------------------------------------------
# Dropout draws its mask in the forward, whether or not anything is recorded. So neither
# ``requires_grad`` nor ``no_grad()`` stops it. ``eval()`` does.
import torch
from torch.nn import functional

torch.manual_seed(1)
x = torch.ones(1000)
dropout = torch.nn.Dropout(0.5).requires_grad_(False)
with torch.no_grad():
    dropped = (dropout(x) == 0).sum().item()
    kept = dropout.eval()(x)
print("dropped under no_grad():", dropped)
assert 400 < dropped < 600
assert torch.equal(kept, x)


# %%
# I called ``eval()``, and it still drops
# ---------------------------------------
# ``F.dropout`` is a function. It has no module whose mode it could read, and its
# ``training`` is True unless you say otherwise.
class Model(torch.nn.Module):
    def forgets(self, x):
        return functional.dropout(x, 0.5)

    def passes_it_on(self, x):
        return functional.dropout(x, 0.5, training=self.training)


model = Model().eval()
forgotten = (model.forgets(x) == 0).sum().item()
print("dropped by F.dropout in eval():", forgotten)
assert 400 < forgotten < 600
assert torch.equal(model.passes_it_on(x), x)

# %%
# ``F.scaled_dot_product_attention`` has no ``training`` at all. Pass it zero in
# evaluation: ``dropout_p=0.5 if self.training else 0.0``.
query = torch.ones(1, 1, 100, 8)
attend = functional.scaled_dot_product_attention
with torch.no_grad():
    attended = attend(query, query, query, dropout_p=0.5)
assert not torch.allclose(attended, attend(query, query, query))

# %% tags=["hide-input"]
# How many of 1000 values are dropped. A bar: dropout is on. An empty row: it is off.
import matplotlib.pyplot as plt

counts = {
    "no_grad(): Dropout": dropped,
    "eval(): Dropout": (kept == 0).sum().item(),
    "eval(): F.dropout(x)": forgotten,
    "eval(): F.dropout(x, training=self.training)": 0,
}
_, ax = plt.subplots(figsize=(6, 2.6), layout="constrained")
ax.barh(list(counts), list(counts.values()), fc="none", ec="C2", lw=2)
ax.set(xlabel="dropped", xlim=(0, 1000))
ax.invert_yaxis()
plt.show()

# %%
# How do I keep dropout off in the frozen part only?
# --------------------------------------------------
# Frozen features that are compared, or computed once and kept, must not change. Call
# ``eval()`` on the frozen part after each ``train()``: the rest goes on training.
backbone = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Dropout(0.5))
network = torch.nn.Sequential(backbone, torch.nn.Linear(4, 1))
backbone.requires_grad_(False)
network.train()
backbone.eval()
image = torch.ones(1, 4)
assert torch.equal(backbone(image), backbone(image))
assert network[1].training

# %%
# Use the module :torch:`torch.nn.Dropout`, or pass ``training=self.training`` to
# :torch:`torch.nn.functional.dropout`. Keep a frozen part in ``eval()``.
#
# Related: :doc:`eval_is_not_no_grad`, :doc:`frozen_batch_norm_still_moves`,
# :doc:`/gallery/recipes/feature_cache`.
