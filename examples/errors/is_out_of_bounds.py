"""
``Target 2 is out of bounds``
=============================

A label has no output in the head. ``CrossEntropyLoss`` counts the classes from 0: for
labels up to 2, the head needs three outputs. On a GPU the same mistake is reported as
``CUDA error: device-side assert triggered``.
"""

# %%
import torch
import torch.nn.functional as F
from torch import nn

features, labels = torch.ones(3, 4), torch.tensor([0, 1, 2])
head = nn.Linear(4, 2)
try:
    # Wrong: two outputs for the labels 0, 1 and 2.
    F.cross_entropy(head(features), labels)
except IndexError as error:
    print(f"IndexError: {error}")
else:
    raise AssertionError("a label without an output was accepted")
# Right: the head has one output for each class.
head = nn.Linear(4, int(labels.max()) + 1)
F.cross_entropy(head(features), labels).backward()
print(head.weight.grad.shape)
assert head.weight.grad.shape == (3, 4)

# %%
# The labels begin at 1, or some numbers are missing
# --------------------------------------------------
# With five classes, the labels must be 0 to 4. Labels from 1 to 5, or only 3 and 7 of a
# larger data set, raise the error although the number of classes is right. Give each
# class a new number, once, for the whole data set: numbers that come from one batch or
# from the validation set alone would mean other classes there. A larger head only hides
# the mistake. For segmentation, the background is a class, too.
names = sorted({3, 7, 12})  # all labels of the training set
index_of = {name: index for index, name in enumerate(names)}
batch = [7, 3, 12, 7]
head = nn.Linear(4, len(names))
try:
    # Wrong: the numbers of the larger data set.
    F.cross_entropy(head(torch.ones(4, 4)), torch.tensor(batch))
except IndexError as error:
    message = str(error)
else:
    raise AssertionError("the label 7 was accepted")
print(message)
assert message == "Target 7 is out of bounds."
# Right: the numbers 0, 1 and 2.
labels = torch.tensor([index_of[name] for name in batch])
F.cross_entropy(head(torch.ones(4, 4)), labels).backward()
print(labels.tolist())
assert labels.tolist() == [1, 0, 2, 1]

# %%
# ``Target -1 is out of bounds``, ``Target 255 is out of bounds``: what to ignore
# -------------------------------------------------------------------------------
# -1, 0 or 255 often mean "no label": a border of an object, or padding. The loss leaves
# out only the value ``ignore_index``, and this is -100 unless you set it. Pixels and
# tokens that are left out get a gradient of zero. If all labels of a batch are left
# out, the mean is ``nan``.
logits = torch.zeros(3, 2, requires_grad=True)
for ignored in (-1, 255):
    labels = torch.tensor([0, 1, ignored])
    try:
        # Wrong: only -100 is ignored.
        F.cross_entropy(logits, labels)
    except IndexError as error:
        message = str(error)
    else:
        raise AssertionError("it was ignored")
    print(message)
    assert message == f"Target {ignored} is out of bounds."
    # Right: the value of your data set.
    logits.grad = None
    F.cross_entropy(logits, labels, ignore_index=ignored).backward()
    assert not logits.grad[2].any()
assert F.cross_entropy(logits, torch.tensor([-100] * 3)).isnan()

# %%
# Two classes and a head with one output: ``Target 1``, or a loss that is always 0
# --------------------------------------------------------------------------------
# ``CrossEntropyLoss`` with one output knows one class only. The label 1 raises the
# error. A batch in which all labels are 0 raises nothing: its loss is 0, and so is
# every gradient, so nothing trains. Use two outputs, or keep one output and take
# ``BCEWithLogitsLoss`` with labels as floats, in the shape of the output.
one, labels = nn.Linear(4, 1), torch.zeros(3, dtype=torch.long)
loss = F.cross_entropy(one(features), labels)  # wrong, without an error
loss.backward()
print(loss.item(), one.weight.grad.any().item())
assert loss == 0
assert not one.weight.grad.any()
loss = F.binary_cross_entropy_with_logits(one(features).squeeze(1), labels.float())
loss.backward()  # right
assert one.weight.grad.any()

# %%
# CUDA error: device-side assert triggered, t >= 0 && t < n_classes
# -----------------------------------------------------------------
# This is what a GPU says about such a label (quoted from `Pytorch-UNet 258
# <https://github.com/milesial/Pytorch-UNet/issues/258>`__, not run here). The GPU works
# behind the program, so the traceback ends where Python waited next: in
# ``loss.backward()``, ``loss.item()`` or ``.to(device)``, also with
# ``CUBLAS_STATUS_ALLOC_FAILED`` or another error of CUDA. After it, each call to the
# GPU fails: restart the process, in a notebook the kernel. Run one batch on the CPU,
# where the text names the label, or set ``CUDA_LAUNCH_BLOCKING=1`` before the start, so
# that the traceback ends in the right line. ``srcIndex < srcSelectDimSize`` and
# ``index out of bounds`` instead of ``n_classes`` come from an embedding or from an
# index of your own. Or ask all labels, before the training:


def outside(label_batches, classes, ignore_index=-100):
    found = set()
    for labels in label_batches:
        kept = labels[labels != ignore_index]
        found.update(kept[(kept < 0) | (kept >= classes)].tolist())
    return sorted(found)


batches = [torch.tensor([0, 1, -100]), torch.tensor([2, 5, 1])]
print(outside(batches, classes=2), outside(batches, classes=6))
assert outside(batches, classes=2) == [2, 5]
assert outside(batches, classes=6) == []

# %%
# ``index out of range in self``: new tokens, or a text that is too long
# ----------------------------------------------------------------------
# Here an embedding was asked for a row that it does not have. After
# ``tokenizer.add_tokens()``, call ``model.resize_token_embeddings(len(tokenizer))``,
# before you freeze or apply LoRA. If the text is longer than the table of positions
# (512 rows for BERT), cut it off with ``truncation=True, max_length=512``. Labels of
# -100 are for the loss, not for ``input_ids``. In plain PyTorch, make a larger
# embedding and copy the old rows:
embedding, ids = nn.Embedding(3, 2), torch.tensor([0, 3])
try:
    # Wrong: the row 3 of three rows.
    embedding(ids)
except IndexError as error:
    message = str(error)
else:
    raise AssertionError("there was such a row")
print(message)
assert message == "index out of range in self"
# Right: a larger table with the old rows in it.
larger = nn.Embedding(4, 2)
with torch.no_grad():
    larger.weight[:3] = embedding.weight
print(larger(ids).shape)
assert larger(ids)[0].equal(embedding.weight[0])

# %%
# Read on: :doc:`/gallery/freezing/freeze_some_rows_of_an_embedding`, to train only the
# new rows, and :doc:`/gallery/freezing/freeze_a_backbone`.
