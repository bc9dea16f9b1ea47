"""
Add classes to a trained model: copy the old rows of the head
=============================================================

A new head knows none of the old classes. Make a larger one, copy the rows of the old
classes into it, and train with examples of *all* classes, not only of the new ones.
"""

# %%
import torch
from torch import nn

torch.manual_seed(0)
old, features = nn.Linear(16, 10), torch.randn(4, 16)
wrong, right = nn.Linear(16, 12), nn.Linear(16, 12)  # two classes more
with torch.no_grad():
    right.weight[:10] = old.weight
    right.bias[:10] = old.bias
for name, head in (("wrong", wrong), ("right", right)):
    kept = head(features)[:, :10].allclose(old(features), atol=1e-6)
    print(f"{name}: old classes kept: {kept}")
    assert kept == (head is right)

# %%
# Make the optimizer after the new head. If the checkpoint is only read now, make the
# larger head after loading: ``load_state_dict()`` raises ``size mismatch`` for another
# number of classes, with ``strict=False``, too (:doc:`freeze_a_backbone`).
#
# Old classes are no longer recognised after fine-tuning on a new class
# ---------------------------------------------------------------------
# This is catastrophic forgetting, and freezing the backbone does not prevent it. If all
# examples are of the new class, the shortest way to a small loss is to answer "new" for
# every input: the bias and the row of the new class grow. It is the same if only the
# rows of the new class train. Put examples of the old classes into the training. A few
# of each are often enough: here five, beside 30 of the new class. Without any old data,
# a loss that holds the old outputs on the new images helps in part (`Learning without
# Forgetting <https://arxiv.org/abs/1606.09282>`__, not run here).
#
# Is the number of classes the cause? With ``num_classes=2`` in place of 80, the old
# head is thrown away, and no freeze brings the 80 classes back.
import copy
from collections import OrderedDict

from torch.nn import functional

centers = 2 * torch.randn(4, 8)


def draw(classes, count):
    labels = torch.tensor(classes).repeat_interleave(count)
    return centers[labels] + torch.randn(len(labels), 8), labels


def train(model, data, only_new_rows=False):
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer, (x, labels) = torch.optim.Adam(trained, lr=0.02), data
    for _ in range(40):
        optimizer.zero_grad()
        functional.cross_entropy(model(x), labels).backward()
        if only_new_rows:
            model.head.weight.grad[:3] = model.head.bias.grad[:3] = 0
        optimizer.step()


def recognised(model, classes):
    x, labels = draw(classes, 200)
    with torch.no_grad():
        return (model(x).argmax(1) == labels).float().mean().item() > 0.8


def larger(head, new):
    grown = nn.Linear(head.in_features, head.out_features + new)
    with torch.no_grad():
        grown.weight[: head.out_features] = head.weight
        grown.bias[: head.out_features] = head.bias
    return grown


body = nn.Sequential(nn.Linear(8, 32), nn.ReLU())
trained = nn.Sequential(OrderedDict(body=body, head=nn.Linear(32, 3)))
train(trained, draw([0, 1, 2], 50))
assert recognised(trained, [0, 1, 2])
few_old = draw([0, 1, 2], 5)
new = draw([3], 30)
both = tuple(torch.cat(pair) for pair in zip(few_old, new, strict=True))
print(f"{'trains':10}{'data':10}old    new")
for trains in ("all", "head", "new rows"):
    for name, data in (("new", new), ("new, old", both)):
        grown = copy.deepcopy(trained)
        grown.head = larger(grown.head, 1)
        grown.body.requires_grad_(trains == "all")
        train(grown, data, only_new_rows=trains == "new rows")
        found = recognised(grown, [0, 1, 2]), recognised(grown, [3])
        print(f"{trains:10}{name:10}{found[0]!s:7}{found[1]}")
        assert found == (data is both, True)

# %%
# Train only the new classes, and freeze the old rows of the head
# ---------------------------------------------------------------
# ``requires_grad`` belongs to a whole weight, not to its rows. Keep the old head,
# freeze it, and put a second one beside it. The old outputs stay exactly as they are,
# whatever the optimizer is. Only the answer can change: where the output of a new class
# is the largest, it wins. So train with old examples even so. For ``softmax`` and the
# loss, the two heads are one. A mask in place of the second head:
# :doc:`freeze_some_rows_of_an_embedding`.


class TwoHeads(nn.Module):
    def __init__(self, old, new):
        super().__init__()
        self.old = old.requires_grad_(False)
        self.new = nn.Linear(old.in_features, new)

    def forward(self, features):
        return torch.cat([self.old(features), self.new(features)], 1)


heads, before = TwoHeads(old, 2), old(features).detach()
optimizer = torch.optim.AdamW(heads.new.parameters(), lr=0.1, weight_decay=0.1)
for _ in range(3):
    optimizer.zero_grad()
    functional.cross_entropy(heads(features), torch.tensor([10, 11, 0, 1])).backward()
    optimizer.step()
print(tuple(heads(features).shape), heads(features)[:, :10].equal(before))
assert heads(features).shape == (4, 12)
assert heads(features)[:, :10].equal(before)

# %%
# Fewer classes: keep only some of the 80 or 1000
# -----------------------------------------------
# Take the rows of the classes that you want. No training is needed: the outputs of
# these classes are the same as before. Only ``softmax`` now sums over fewer. A detector
# with anchors has a convolution whose channels are boxes and classes, for each anchor:
# there, choose channels, in the order in which its code reads them.
wanted = [7, 2]
smaller = nn.Linear(old.in_features, len(wanted))
with torch.no_grad():
    smaller.weight.copy_(old.weight[wanted])
    smaller.bias.copy_(old.bias[wanted])
assert smaller(features).allclose(old(features)[:, wanted], atol=1e-6)

# %% tags=["hide-input"]
# Where it ends
# -------------
# - With ``BCEWithLogitsLoss``, as in multi-label tasks and many detectors, each class
#   has an output of its own. If only the rows of the new class train, the old answers
#   stay. But an unlabelled old object in a new image is a negative example, and if its
#   row or the backbone trains, it is forgotten.
# - A new row begins at random. If its first outputs are far too large, begin with a
#   ``bias`` and a ``weight`` of zero: in a single last layer this trains, too.
# - Old and new classes that look alike need features that tell them apart. Then the
#   backbone has to train, with old examples.
zero = nn.Linear(16, 2)
nn.init.zeros_(zero.weight)
nn.init.zeros_(zero.bias)
functional.cross_entropy(zero(features), torch.tensor([0, 1, 1, 1])).backward()
assert zero.weight.grad.any()

# %%
# Grow the head, keep old examples, and compare the accuracy of the old classes before
# and after.
#
# Related: :doc:`freeze_a_backbone`, :doc:`freeze_some_rows_of_an_embedding`,
# :doc:`accuracy_falls_after_unfreezing`.
