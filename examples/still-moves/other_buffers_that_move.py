"""
A frozen layer still changes: spectral norm and max_norm
========================================================

Spectral norm updates buffers in training mode: call ``eval()``. An embedding with
``max_norm`` rewrites its weight in ``eval()``, too: build it without ``max_norm``.
"""

# %%
# ``changed`` tells whether a forward changes a parameter or a buffer of a frozen layer.
import torch
from torch import nn


def changed(layer, batch):
    state = layer.requires_grad_(False).state_dict().values()
    before = [tensor.clone() for tensor in state]
    layer(batch)
    return not all(map(torch.equal, before, state))


linear = nn.utils.parametrizations.spectral_norm(nn.Linear(64, 64))
x, row = torch.ones(1, 64), torch.tensor([0])
moved = changed(linear.train(), x), changed(linear.eval(), x)
print("spectral norm, train() and eval():", *moved)
tables = nn.Embedding(2, 2, max_norm=0.1), nn.Embedding(2, 2)
rewritten = [changed(table.eval(), row) for table in tables]
print("embedding, with and without max_norm:", *rewritten)
assert (*moved, *rewritten) == (True, False, True, False)

# %%
# Spectral norm: why does the layer change?
# -----------------------------------------
# It divides the weight by an estimate of its largest singular value, and improves the
# estimate in training mode, each time the weight is computed. So the weight that the
# layer uses changes, although the parameter is frozen. ``eval()`` stops that.
weight = linear.eval().weight
original = linear.parametrizations.weight.original.clone()
before = {name: buffer.clone() for name, buffer in linear.named_buffers()}
in_train = linear.train().weight
moved = [n for n, b in linear.named_buffers() if not torch.equal(b, before[n])]
print(moved)
assert moved == ["parametrizations.weight.0._u", "parametrizations.weight.0._v"]
assert torch.equal(linear.parametrizations.weight.original, original)
assert not torch.equal(in_train, weight)
assert torch.equal(linear.eval().weight, linear.weight)

# %%
# ``max_norm``: the forward writes to the weight
# ----------------------------------------------
# Each row that is looked up and is longer than ``max_norm`` is shortened in place,
# whatever ``requires_grad``, the mode and the grad mode are.
table = nn.Embedding(2, 2, max_norm=1.0).requires_grad_(False).eval()
table.weight.fill_(3)
lengths = [table.weight.norm(dim=1).tolist()]
with torch.no_grad():
    table(torch.tensor([0]))
lengths.append(table.weight.norm(dim=1).tolist())
for first, second in lengths:
    print(f"{first:.2f} {second:.2f}")
assert abs(lengths[1][0] - 1) < 1e-5
assert lengths[1][1] == lengths[0][1]
with torch.inference_mode():
    table(torch.tensor([1]))
assert abs(table.weight[1].norm() - 1) < 1e-5

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
# To keep the limit, shorten all rows once, and build the frozen table from them. Its
# results are the same as with ``max_norm``, up to rounding.
rows = torch.randn(5, 2, generator=torch.Generator().manual_seed(0)) * 2
every = torch.arange(5)
limited = nn.Embedding.from_pretrained(rows.clone(), max_norm=1.0)
fixed = nn.Embedding.from_pretrained(rows.renorm(2, 0, 1.0))
torch.testing.assert_close(fixed(every), limited(every))
assert not changed(fixed, every)

# %%
# Which layers have something that moves?
# ---------------------------------------
# Besides ``max_norm``, look at the buffers. Layer norm has none. Instance norm has none
# unless you ask for ``track_running_stats``, and a batch norm without it has none
# either.
layers = {
    "BatchNorm1d": nn.BatchNorm1d(2),
    "BatchNorm1d(track_running_stats=False)": nn.BatchNorm1d(
        2, track_running_stats=False
    ),
    "InstanceNorm1d": nn.InstanceNorm1d(2),
    "LayerNorm": nn.LayerNorm(2),
}
counts = {name: len(list(layer.buffers())) for name, layer in layers.items()}
print(counts)
assert list(counts.values()) == [3, 0, 0, 0]


# %%
# It still moves in eval(): a codebook, a moving average, a counter of your own
# -----------------------------------------------------------------------------
# ``eval()`` sets ``training`` to False and does nothing else. A layer whose forward
# does not read ``training`` continues to write to its buffers.
class Average(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("average", torch.zeros(1))

    def forward(self, x):
        self.average.lerp_(x.mean(), 0.1)
        return x - self.average


assert changed(Average().eval(), torch.ones(4))

# %%
# Write ``if self.training:`` before the line that updates the buffer, and ``eval()`` is
# enough. If the code is not yours, such as a VQ codebook or an EMA, put the buffers
# back after each step; the forward itself still uses the updated value. In
# quantization-aware training, ``model.apply(torch.ao.quantization.disable_observer)``
# stops the observers (not run here).
from contextlib import contextmanager


class Fixed(Average):
    def forward(self, x):
        if self.training:
            self.average.lerp_(x.mean(), 0.1)
        return x - self.average


@contextmanager
def buffers_kept(module):
    before = {name: buffer.clone() for name, buffer in module.named_buffers()}
    yield
    with torch.no_grad():
        for name, buffer in module.named_buffers():
            buffer.copy_(before[name])


averages = Average().eval()
with buffers_kept(averages):
    averages(torch.ones(4))
print("if self.training:", changed(Fixed().eval(), torch.ones(4)))
print("buffers_kept:    ", averages.average.item() != 0)
assert not changed(Fixed().eval(), torch.ones(4))
assert averages.average == 0

# %%
# Put frozen layers into ``eval()``. Build a table that must stay without ``max_norm``.
# :py:func:`gradguide.changed` names what moved. Sources: :torch:`torch.nn.Embedding`,
# :torch:`torch.nn.utils.parametrizations.spectral_norm`.
#
# Related: :doc:`frozen_batch_norm_still_moves`, :doc:`stale_gradients`,
# :doc:`/gallery/freezing/did_my_freeze_work`.
