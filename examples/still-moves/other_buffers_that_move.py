"""
Spectral norm and max_norm move a frozen layer
==============================================

Batch norm is not the only one. Spectral norm updates buffers in each training forward,
and an embedding with ``max_norm`` rewrites its own frozen weight, in ``eval()`` too.
"""

# %%
# Spectral norm: buffers that each forward updates
# ------------------------------------------------
# It divides the weight by an estimate of its largest singular value, and improves the
# estimate in each forward in training mode. So the weight that the layer uses changes,
# although the parameter is frozen. ``eval()`` stops that.
import torch

torch.manual_seed(0)
layer = torch.nn.utils.parametrizations.spectral_norm(torch.nn.Linear(64, 64))
layer.requires_grad_(False)


def buffers_after_a_forward(module, inputs):
    before = {name: buffer.clone() for name, buffer in module.named_buffers()}
    module(inputs)
    return [n for n, b in module.named_buffers() if not torch.equal(b, before[n])]


weight = layer.eval().weight
moved = buffers_after_a_forward(layer.train(), torch.ones(1, 64))
print(moved)
assert moved == ["parametrizations.weight.0._u", "parametrizations.weight.0._v"]
assert buffers_after_a_forward(layer.eval(), torch.ones(1, 64)) == []
assert not torch.equal(layer.weight, weight)

# %%
# max_norm: the forward writes to the weight
# ------------------------------------------
# ``max_norm`` shortens each row that it looks up, in place. It asks neither
# ``requires_grad`` nor the mode.
table = torch.nn.Embedding(2, 2, max_norm=1.0).requires_grad_(False).eval()
table.weight.fill_(3)
lengths = [table.weight.norm(dim=1).tolist()]
with torch.no_grad():
    table(torch.tensor([0]))
lengths.append(table.weight.norm(dim=1).tolist())
for first, second in lengths:
    print(f"{first:.2f} {second:.2f}")
assert abs(lengths[1][0] - 1) < 1e-5
assert lengths[1][1] == lengths[0][1]

# %% tags=["hide-input"]
# The length of the two rows of the frozen table, before and after one forward in
# ``eval()`` under ``no_grad()``: row 0, which was looked up, is shorter.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
for row, style in ((0, "C2x--"), (1, "C1s-")):
    ax.plot(["before", "after"], [pair[row] for pair in lengths], style, label=row)
ax.set(ylabel="row length", ylim=(0, 5))
ax.legend(title="row")
plt.show()

# %%
# Which layers have something that moves?
# ---------------------------------------
# Apart from ``max_norm``, look for buffers: without them, nothing but parameters could
# move. Layer norm has none. Instance norm has none unless you ask for
# ``track_running_stats``, and a batch norm without it has none either.
layers = {
    "BatchNorm1d": torch.nn.BatchNorm1d(2),
    "BatchNorm1d(track_running_stats=False)": torch.nn.BatchNorm1d(
        2, track_running_stats=False
    ),
    "InstanceNorm1d": torch.nn.InstanceNorm1d(2),
    "LayerNorm": torch.nn.LayerNorm(2),
}
counts = {name: len(list(layer.buffers())) for name, layer in layers.items()}
print(counts)
assert list(counts.values()) == [3, 0, 0, 0]

# %%
# Put frozen layers into ``eval()``. A table that must stay should have no ``max_norm``:
# shorten its rows once, beforehand. :py:func:`gradguide.changed` names what moved.
# Sources: :torch:`torch.nn.Embedding`,
# :torch:`torch.nn.utils.parametrizations.spectral_norm`.
#
# Related: :doc:`frozen_batch_norm_still_moves`, :doc:`stale_gradients`,
# :doc:`/gallery/freezing/did_my_freeze_work`.
