"""
A gradient is None for a reason, and explain names the line
===========================================================

After ``backward()``, ``param.grad`` is None for many reasons, which all look the same.
This network has three, and two parts that get a gradient and still won't learn.
"""

# %%
# Which gradients are None?
# -------------------------
# A pretrained backbone is frozen on purpose. All else that is wrong here is a mistake,
# and it runs without a word.
import re

import torch
from torch import nn

# Install it: pip install git+https://github.com/gradguide/gradguide
from gradguide import explain


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Linear(4, 8).requires_grad_(False)
        self.neck = nn.Linear(8, 8)
        self.blocks = [nn.Linear(8, 8), nn.Linear(8, 8)]
        self.head = nn.Linear(8, 10)
        self.spare = nn.Linear(8, 10)

    def features(self, images):
        return self.neck(self.backbone(images).tanh()).detach()

    def forward(self, images):
        hidden = self.features(images)
        for block in self.blocks:
            hidden = block(hidden).tanh()
        return self.head(hidden)


def compute_loss():
    return nn.functional.cross_entropy(model(images), labels)


torch.manual_seed(0)
model = Network()
optimizer = torch.optim.SGD(model.named_parameters(), lr=0.1)
model.head = nn.Linear(8, 3)
images, labels = torch.randn(16, 4), torch.arange(16) % 3
loss = compute_loss()
loss.backward()
missing = {n.split(".")[0] for n, p in model.named_parameters() if p.grad is None}
print(sorted(missing))
assert missing == {"backbone", "neck", "spare"}
assert model.head.weight.grad is not None
assert model.blocks[0].weight.grad is not None

# %%
# The more you pass, the more it knows
# ------------------------------------
# That list says which, not why. And two parts that won't learn, ``head`` and
# ``blocks``, are not on it.
#
# :py:func:`gradguide.explain` with the model alone tells what is frozen. The first line
# counts the parameters. Each line below has a verdict, a name, how many numbers that
# is, and why. ``trains`` means: nothing found yet that keeps it from training.
print(explain(model))

# %%
# The optimizer was built before the new ``head``. It still holds the old one
# (``orphan``), and nobody applies the gradient of the new one. The report knows the
# name of the old one because the optimizer was given ``named_parameters()``.
print(explain(model, optimizer))

# %%
# The loss reaches neither ``neck`` nor ``spare``. It does reach ``blocks``, which was
# in no report so far: layers in a plain list compute, but ``parameters()`` doesn't know
# them (``unregistered``).
print(explain(model, loss, optimizer))

# %%
# Why ``unreached``? The loss can't tell, it comes too late. *The function that computes
# it* can be watched. Now there is a cause, and the line to blame: the one with
# the ``detach()`` in ``features``. And ``spare`` is never read.
report = explain(model, compute_loss, optimizer)
print(report)
rows = {row.name: row for row in report}
assert rows["neck.weight"][1:3] == ("cut", "detach()")
blamed = int(rows["neck.weight"].where.rpartition(":")[2])
assert blamed == Network.features.__code__.co_firstlineno + 1
assert rows["spare.weight"][1:4] == ("unused", "never read in the forward", "")

# %%
# As the last line of a notebook's cell, a report is a table:
report

# %%
# One cause after another
# -----------------------
# Leave out ``detach()``, register the blocks, delete what is not used. Build the
# optimizer last, since it takes the parameters that there are. ``problems`` holds the
# rows that surprise: all but ``trains`` and ``frozen``.


def check(fix):
    reports[fix] = explain(model, compute_loss, optimizer)
    print(fix, sorted({row.verdict for row in reports[fix].problems}))


reports = {}
check("broken")
Network.features = lambda self, images: self.neck(self.backbone(images).tanh())
check("features")
model.blocks = nn.ModuleList(model.blocks)
check("blocks")
del model.spare
check("spare")
optimizer = torch.optim.SGD(model.named_parameters(), lr=0.1)
check("optimizer")
print(reports["optimizer"])
assert len(reports["broken"].problems) == 12
assert not reports["optimizer"].problems

# %% tags=["hide-input"]
# From left to right, the report after each fix. An open square trains, a hatched one is
# frozen, a cross is a problem. The blocks and the spare head go from one problem to
# another (deleted, it is still held by the optimizer); a new optimizer solves the rest.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
trains = {"marker": "s", "fc": "none", "ec": "C0"}
looks = {"trains": trains, "frozen": trains | {"ec": "C1", "hatch": "//////"}}
verdicts = {
    (fix, "optimizer" if kind == "optimizer" else re.split(r"[.[]", name)[0]): verdict
    for fix, report in reports.items()
    for name, verdict, *_, kind in report
}
for place, verdict in verdicts.items():
    look = looks.get(verdict, {"marker": "x", "c": "C2"})
    ax.scatter(*place, s=150, lw=2, **look)
    if verdict not in looks:
        ax.text(*place, f"\n{verdict}", ha="center", va="top", size=8)
ax.margins(0.1, 0.15)
ax.invert_yaxis()
plt.show()

# %%
# In a training script, before the first step:
# ``assert not explain(model, compute_loss, optimizer).problems``.
#
# Related: :doc:`will_it_really_stay_frozen`, :doc:`read_a_graph`,
# :doc:`/gallery/three-ways/detach_cuts_one_tensor`.
