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
# Other results for the same input after eval(): in one run, or from run to run?
# ------------------------------------------------------------------------------
# Call the model twice in the same process.
#
# - The two differ: something draws random numbers or writes to a buffer. List the
#   modules with ``training=True``. ``eval()`` does not reach layers in a plain Python
#   list (use ``nn.ModuleList``), nor a dropout that is made in ``forward()``, nor
#   ``F.dropout``.
# - They agree, but another run gives other values: some weights are random in each run.
#   A new head is; so are layers that the checkpoint lacks. ``strict=False`` hides that:
#   look at the ``missing_keys`` that ``load_state_dict()`` returns, or at the warning
#   of transformers about newly initialized weights.
# - They differ in the last digits only: the order of sums on the GPU,
#   ``torch.use_deterministic_algorithms(True)``.


class Listed(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.head = torch.nn.Linear(4, 2)
        self.layers = [torch.nn.Dropout(0.5)]  # wrong: not registered

    def forward(self, x):
        return self.head(self.layers[0](x))


listed, signal = Listed().eval(), torch.ones(1000, 4)
print("in a list:  ", torch.equal(listed(signal), listed(signal)))
assert not torch.equal(listed(signal), listed(signal))
listed.layers = torch.nn.ModuleList(listed.layers)  # right
listed.eval()
print("ModuleList: ", torch.equal(listed(signal), listed(signal)))
assert torch.equal(listed(signal), listed(signal))
assert [name for name, m in listed.named_modules() if m.training] == []
loaded = listed.load_state_dict({"head.bias": torch.zeros(2)}, strict=False)
print(loaded.missing_keys)
assert loaded.missing_keys == ["head.weight"]

# %%
# MC dropout: only dropout on, or training with dropout off
# ---------------------------------------------------------
# Set the mode of the modules that drop. For MC dropout, call ``model.eval()``, then
# ``train()`` on these, so that batch norm stays in evaluation, and average several
# outputs under ``no_grad()``. To train without dropout, call ``model.train()``, then
# ``eval()`` on these. Not all of them are an ``nn.Dropout``: the base class of
# ``Dropout``, ``Dropout2d`` and ``AlphaDropout`` is ``_DropoutNd``. An ``nn.LSTM`` and
# an ``nn.MultiheadAttention`` have a number ``dropout`` and look at their own
# ``training``. So do the attention layers of transformers and ``DropPath`` of timm:
# look for ``dropout``, ``attention_dropout`` or ``drop_prob``.
#
# In GPU training an LSTM has to stay in ``train()``: set ``lstm.dropout = 0.0``
# instead. An ``nn.TransformerEncoderLayer`` in ``eval()`` skips its dropout on the fast
# path. So switch that off, see :doc:`freezing_changed_my_transformer`.
from torch import nn


def drops(module):
    names = ("dropout", "attention_dropout", "drop_prob")
    numbers = [getattr(module, name, None) for name in names]
    is_dropout = isinstance(module, nn.modules.dropout._DropoutNd)
    return is_dropout or any(isinstance(p, float) and p > 0 for p in numbers)


layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.5, batch_first=True)
network = nn.Sequential(layer, nn.Flatten(), nn.BatchNorm1d(32), nn.Linear(32, 1))
found = [name for name, module in network.named_modules() if drops(module)]
print(*found)
assert found == ["0.self_attn", "0.dropout", "0.dropout1", "0.dropout2"]
assert drops(nn.LSTM(2, 2, num_layers=2, dropout=0.5))
sentences = torch.randn(2, 4, 8)


def switch(*, rest, dropout):
    network.train(rest)
    for module in network.modules():
        if drops(module):
            module.train(dropout)
    with torch.no_grad():
        varies = not torch.equal(network(sentences), network(sentences))
    return varies, network[2].training


fast = switch(rest=False, dropout=True)
torch.backends.mha.set_fastpath_enabled(False)
ways = {"MC dropout": switch(rest=False, dropout=True)}
ways["dropout off"] = switch(rest=True, dropout=False)
torch.backends.mha.set_fastpath_enabled(True)
for way, (varies, batch_norm_trains) in {"fast path": fast, **ways}.items():
    print(f"{way:12}{varies=!s:6} {batch_norm_trains=}")
assert fast == (False, False)
assert ways == {"MC dropout": (True, False), "dropout off": (False, True)}

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
# Same seed, other result after freezing: who draws the random numbers?
# ---------------------------------------------------------------------
# A seed fixes the *sequence* of random numbers, not who gets which. Frozen dropout in
# ``eval()`` draws none, and a layer more or a new head draws some when it is built. So
# all that comes afterwards gets other numbers: the initial weights of the next layers,
# the masks of the head's dropout, the shuffling. Two such runs differ as two seeds do,
# and a small difference in accuracy says nothing about freezing. Seed again right
# before each part that should be the same, give the ``DataLoader`` a generator of its
# own, and compare several seeds.


def run(*, new_head, seeded_again):
    torch.manual_seed(0)
    if new_head:
        nn.Linear(4, 2)
    if seeded_again:
        torch.manual_seed(1)
    weight = nn.Linear(4, 4).weight.detach()
    return weight, torch.randperm(20).tolist()


for seeded_again in (False, True):  # wrong, right
    one, other = (run(new_head=n, seeded_again=seeded_again) for n in (False, True))
    same = one[0].equal(other[0]), one[1] == other[1]
    print(f"{seeded_again=}: same weights, same order: {same}")
    assert same == (seeded_again, seeded_again)
masks = []
for mode in (True, False):
    torch.manual_seed(0)
    frozen_dropout = nn.Dropout(0.5).train(mode)
    frozen_dropout(torch.ones(100))
    masks.append(nn.Dropout(0.5)(torch.ones(100)))
print("the same mask for the head:", masks[0].equal(masks[1]))
assert not masks[0].equal(masks[1])

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
