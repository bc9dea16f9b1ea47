"""
``Target size … must be the same as input size …``
==================================================

``BCEWithLogitsLoss`` compares value by value, so the targets need the shape of the
predictions. A head with one output gives ``(batch, 1)``: write ``squeeze(1)``. For one
class out of many, use ``CrossEntropyLoss``.
"""

# %%
import torch
import torch.nn.functional as F
from torch import nn

head, x, labels = nn.Linear(2, 1), torch.ones(4, 2), torch.tensor([0.0, 1, 1, 0])
try:
    # Wrong: predictions of (4, 1), targets of (4,).
    F.binary_cross_entropy_with_logits(head(x), labels)
except ValueError as error:
    print(f"ValueError: {error}")
else:
    raise AssertionError("two shapes were accepted")
# Right: both are (4,).
F.binary_cross_entropy_with_logits(head(x).squeeze(1), labels).backward()
print(head(x).squeeze(1).shape, head.weight.grad is not None)
assert head.weight.grad is not None
# squeeze() without a number also removes the batch, if it has one sample.
assert head(x[:1]).squeeze().shape == ()

# %%
# ``Using a target size that is different to the input size``: it trains, but badly
# ---------------------------------------------------------------------------------
# ``MSELoss``, ``L1Loss``, ``SmoothL1Loss`` and ``HuberLoss`` only warn, if the shapes
# can be broadcast. ``(4, 1)`` and ``(4,)`` become a matrix in which each prediction is
# compared with all targets. With ``MSELoss``, the network then learns to predict the
# mean, and the loss stays at the variance of the targets. Below, the predictions are
# perfect.
import warnings

target = torch.tensor([1.0, 2.0, 3.0, 4.0])
perfect = target.unsqueeze(1).requires_grad_()
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    wrong = [f(perfect, target) for f in (F.mse_loss, F.l1_loss, F.huber_loss)]
print(str(caught[0].message).split(". ")[0])
right = F.mse_loss(perfect.squeeze(1), target)
print([round(loss.item(), 2) for loss in wrong], right.item())
assert len(caught) == 3
assert all(loss > 0.5 for loss in wrong)
assert right == 0
wrong[0].backward()
assert perfect.grad.any()  # pulled towards the mean

# %%
# ``0D or 1D target tensor expected, multi-target not supported``
# ---------------------------------------------------------------
# ``CrossEntropyLoss`` wants one class number for each sample: ``(batch,)``, not
# ``(batch, 1)`` as it comes from a table. Write ``labels.squeeze(1)``. One-hot labels
# in the shape of the predictions are allowed, but as floats. As integers they raise
# ``Expected floating point type for target with class probabilities``; the same text
# comes if ``squeeze()`` has made the predictions one-dimensional.
logits, numbers = torch.zeros(3, 2, requires_grad=True), torch.tensor([0, 1, 1])
one_hot = F.one_hot(numbers, 2)
texts = []
for prediction, wrong in (
    (logits, numbers.unsqueeze(1)),
    (logits, one_hot),
    (torch.zeros(3, 1).squeeze(), numbers),
):
    try:
        F.cross_entropy(prediction, wrong)
    except RuntimeError as error:
        texts.append(str(error))
    else:
        raise AssertionError("the labels were accepted")
print(*texts, sep="\n")
assert texts[0] == "0D or 1D target tensor expected, multi-target not supported"
assert texts[1].startswith("Expected floating point type for target")
assert texts[2] == texts[1]
losses = [F.cross_entropy(logits, right) for right in (numbers, one_hot.float())]
print(losses[0].equal(losses[1]))
assert losses[0].allclose(losses[1])

# %%
# ``Expected input batch_size (8) to match target batch_size (2).``
# -----------------------------------------------------------------
# The first dimension is not the batch any more. Either ``view(-1, features)`` in
# ``forward()`` has the wrong number of features, and pixels moved into the batch: write
# ``flatten(1)``, and the layer behind it will say which number it needs. Or the labels
# are one-hot and were made flat with ``view(-1)``. For a language model, flatten both
# the predictions ``(batch, length, vocabulary)`` and the labels ``(batch, length)``.
images, labels = torch.ones(2, 4, 4), torch.tensor([0, 1])
layer = nn.Linear(4, 2)
try:
    # Wrong: two images become eight rows.
    F.cross_entropy(layer(images.view(-1, 4)), labels)
except ValueError as error:
    message = str(error)
else:
    raise AssertionError("eight rows had two labels")
print(message)
assert message == "Expected input batch_size (8) to match target batch_size (2)."
# Right: each image remains one row.
F.cross_entropy(nn.Linear(16, 2)(images.flatten(1)), labels).backward()
words, next_words = torch.zeros(2, 3, 5), torch.zeros(2, 3, dtype=torch.long)
loss = F.cross_entropy(words.flatten(0, 1), next_words.flatten())
assert loss.allclose(F.cross_entropy(words.mT, next_words))

# %%
# ``only batches of spatial targets supported (3D tensors)``: a mask has channels
# -------------------------------------------------------------------------------
# In segmentation, the predictions are ``(batch, classes, height, width)`` and the masks
# ``(batch, height, width)``, with class numbers. A mask that was loaded as an image has
# a dimension of channels. Remove it with ``mask.squeeze(1).long()``, and check the
# values: ``ToTensor()`` divides by 255, and a colour image must first be translated
# into class numbers.
prediction = torch.zeros(2, 3, 4, 4, requires_grad=True)
mask = torch.zeros(2, 1, 4, 4)
try:
    # Wrong: the mask has a channel.
    F.cross_entropy(prediction, mask.long())
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("a mask with channels was accepted")
print(message)
assert message.startswith("only batches of spatial targets supported (3D tensors)")
# Right: without it.
F.cross_entropy(prediction, mask.squeeze(1).long()).backward()
assert prediction.grad.any()

# %%
# ``all elements of input should be between 0 and 1``; BCELoss is unsafe to autocast
# ----------------------------------------------------------------------------------
# ``BCELoss`` wants probabilities. It got the raw output, or ``nan``. Under ``autocast``
# on a GPU it refuses to work at all (``binary_cross_entropy and BCELoss are unsafe to
# autocast``, not run here). One change cures both: ``BCEWithLogitsLoss`` on the raw
# output, and no ``sigmoid()`` in the model. If the values are ``nan``, look for the
# cause: :doc:`returned_nan_values_in_its_0th_output`.
output = torch.tensor([3.0, -3.0, torch.nan])
for wrong in (output[:1], output[2:]):
    try:
        F.binary_cross_entropy(wrong, torch.ones(1))
    except RuntimeError as error:
        message = str(error)
    else:
        raise AssertionError("no probability was accepted")
    assert message == "all elements of input should be between 0 and 1"
print(message)
pair = torch.tensor([1.0, 0.0])
same = F.binary_cross_entropy(output[:2].sigmoid(), pair)
assert same.allclose(F.binary_cross_entropy_with_logits(output[:2], pair))

# %%
# ``AutoModelForSequenceClassification`` of transformers picks its loss by the labels:
# ``MSELoss`` if ``num_labels`` is 1, ``CrossEntropyLoss`` for integers,
# ``BCEWithLogitsLoss`` for floats (`loss_utils.py
# <https://github.com/huggingface/transformers/blob/main/src/transformers/loss/loss_utils.py>`__,
# read, not run). So several labels for one text must be floats of ``(batch,
# num_labels)``.
#
# Read on: :doc:`is_out_of_bounds`, :doc:`found_dtype_double_but_expected_float`,
# :doc:`must_match_the_size_of_tensor_b`.
