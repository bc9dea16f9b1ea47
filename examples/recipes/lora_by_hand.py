"""
LoRA by hand: freeze the base, and keep no_grad() away from it
==============================================================

An adapter is a small trainable detour around a frozen layer. The layer is frozen by its
flags. ``no_grad()`` around it looks the same, but the adapters before it get no
gradient at first, and a wrong one later.
"""

# %%
# A frozen layer with an adapter
# ------------------------------
# Two matrices of low rank beside the weight. ``B`` begins at zero, so the output of the
# network is what it was.
import torch


class LoRA(torch.nn.Module):
    def __init__(self, base, rank=2, *, cut=False):
        super().__init__()
        self.base = base.requires_grad_(False)
        self.A = torch.nn.Parameter(torch.randn(rank, base.in_features) * 0.1)
        self.B = torch.nn.Parameter(torch.zeros(base.out_features, rank))
        self.cut = cut

    def forward(self, x):
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.cut):
            frozen = self.base(x)
        return frozen + x @ self.A.T @ self.B.T


def network(*, cut):
    torch.manual_seed(0)
    first, last = torch.nn.Linear(8, 8), torch.nn.Linear(8, 4)
    layers = LoRA(first, cut=cut), torch.nn.ReLU(), LoRA(last, cut=cut)
    return torch.nn.Sequential(*layers)


model = network(cut=False)
trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
total = sum(p.numel() for p in model.parameters())
print(trained, "of", total)
assert (trained, total) == (56, 164)

# %%
# Why is the gradient of ``A`` zero in the first step?
# ----------------------------------------------------
# Because it comes through ``B``, and ``B`` is zero. After one step ``B`` has moved.
x = torch.randn(16, 8)
optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], 0.01)
base = model[0].base.weight.clone()
zero = []
for _ in range(2):
    optimizer.zero_grad()
    model(x).square().sum().backward()
    zero.append(not model[0].A.grad.any())
    assert model[0].B.grad.any()
    optimizer.step()
print(zero)
assert zero == [True, False]
assert torch.equal(model[0].base.weight, base)

# %%
# The base layers are frozen anyway. May I run them under ``no_grad()``?
# ----------------------------------------------------------------------
# It seems to save memory and change nothing. But the gradient of the first adapter has
# to come through the frozen base of the second. Under ``no_grad()`` that path is cut.
# What is left leads through the second adapter. Its ``B`` is zero at first, and so is
# the gradient. Later, the part that belongs to the base is missing.


def gradients(*, cut, b=0.0):
    model = network(cut=cut)
    torch.nn.init.constant_(model[2].B, b)
    model(x).square().sum().backward()
    return [model[i].B.grad.abs().sum().item() for i in (0, 2)]


with_flags, with_no_grad = gradients(cut=False), gradients(cut=True)
print([g > 0 for g in with_flags], [g > 0 for g in with_no_grad])
assert all(g > 0 for g in with_flags)
assert with_no_grad[0] == 0
assert with_no_grad[1] > 0
assert 0 < gradients(cut=True, b=0.1)[0] < gradients(cut=False, b=0.1)[0]

# %% tags=["hide-input"]
# The path of the gradient from the loss to the first adapter. Above: through the frozen
# base (hatched). Below: ``no_grad()`` has cut it.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 2.4), layout="constrained")
flow = {"arrowstyle": "->", "ec": "C3", "lw": 2}
for y, is_cut in ((0, False), (1, True)):
    ax.scatter(0, y, s=350, marker="s", fc="none", ec="C2" if is_cut else "C0", lw=2)
    ax.scatter(1, y, s=350, marker="s", fc="none", ec="C1", hatch="//////", lw=2)
    ax.scatter(2, y, s=200, marker="D", fc="none", ec="C3", lw=2)
    if is_cut:
        ax.plot([0.15, 0.85], [y, y], "C2--", lw=2)
        ax.plot([1.15, 1.85], [y, y], "C2--", lw=2)
        ax.scatter(1.5, y, s=120, marker="x", color="C2", lw=3)
    else:
        ax.annotate("", (0.15, y), (0.85, y), arrowprops=flow)
        ax.annotate("", (1.15, y), (1.85, y), arrowprops=flow)
ax.set_xticks([0, 1, 2], ["adapter", "base", "loss"])
ax.set_yticks([0, 1], ["requires_grad_(False)", "no_grad()"])
ax.set_frame_on(False)
ax.margins(0.15, 0.4)
ax.invert_yaxis()
plt.show()

# %%
# Freeze the base with ``requires_grad_(False)``, initialise ``B`` to zero, and give the
# optimizer what trains. Source: `LoRA: Low-Rank Adaptation of Large Language Models
# <https://arxiv.org/abs/2106.09685>`__.
#
# Related: :doc:`/gallery/three-ways/through_or_blocked`,
# :doc:`/gallery/freezing/recorded_although_frozen`,
# :doc:`/gallery/freezing/parametrized_and_lazy_layers`.
