"""
Frozen backbone, accuracy at chance: scale the images as in the pretraining
===========================================================================

A frozen backbone cannot adapt to its input. Use the mean and the standard deviation of
its pretraining, and check that its weights were really loaded.
"""

# %%
import torch
from torch import nn

torch.manual_seed(0)
backbone = nn.Sequential(nn.Linear(12, 32), nn.Tanh()).requires_grad_(False)
images = torch.randint(0, 256, (64, 12)).float()
wrong = backbone(images)  # 0 to 255
right = backbone((images / 255 - 0.45) / 0.225)  # as in the pretraining
for name, features in (("wrong", wrong), ("right", right)):
    saturated = (features.abs() > 0.99).float().mean().item()
    print(f"{name}: mostly saturated: {saturated > 0.5}")
    assert (saturated > 0.5) == (features is wrong)

# %%
# The numbers belong to the weights: torchvision has them in ``weights.transforms()``,
# timm in ``timm.data.resolve_model_data_config(model)``, transformers in
# ``AutoImageProcessor.from_pretrained()``. A backbone that trains can get used to other
# numbers. A frozen one can't.
#
# The loss does not decrease when only the last layer is trained: which cause is it?
# ----------------------------------------------------------------------------------
# Take 32 examples, and train the head on these alone. If the accuracy on them stays at
# chance, go through this list:
#
# - *Input*: not normalized as in the pretraining, BGR in place of RGB, or 0 to 255.
# - *Weights*: not loaded, or overwritten by an ``init_weights()`` after loading. See
#   the next section.
# - *Head*: frozen with the rest, not in the optimizer, or not called in ``forward()``:
#   :doc:`freeze_a_backbone`.
# - *Rate*: a head alone often needs a larger one than fine-tuning. With SGD, try 10 and
#   100 times as much (in `this issue
#   <https://github.com/halwai/bird_classification/issues/10>`__, a larger rate ended
#   the standstill).
# - *Loss*: ``CrossEntropyLoss`` wants logits. A ``softmax`` before it makes the
#   gradients small.
# - *Labels*: shuffled separately from the images, or from another list of classes.
#
# If it can learn the 32, but not the whole data, the frozen features lack what your
# task needs. Then unfreeze the last block (:doc:`unfreeze_gradually`). The fifth point,
# for a head that begins at zero:
from torch.nn import functional

labels = torch.arange(64) % 10
gradients = {}
for way in ("softmax", "logits"):
    head = nn.Linear(32, 10)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    out = head(right)
    loss = functional.cross_entropy(out.softmax(1) if way == "softmax" else out, labels)
    loss.backward()
    gradients[way] = head.weight.grad.norm().item()
ratio = gradients["logits"] / gradients["softmax"]
print(f"the gradient of the logits is {ratio:.1f} times as large")
assert abs(ratio - 10) < 0.01

# %%
# Were the pretrained weights loaded? Compare the values with the file
# --------------------------------------------------------------------
# ``load_state_dict(..., strict=False)`` raises nothing if no name fits, and a backbone
# that stays random is then frozen. The message ``<All keys matched successfully>`` is
# no proof for later, either: code that initializes the layers afterwards overwrites
# them. So compare the values right before the training, and again after it: a frozen
# backbone must then still be equal to the file.
file = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)).state_dict()


def differs(model, file):
    own = model.state_dict()
    missing = [name for name in own if name not in file]
    return missing + [n for n in file if n in own and not own[n].equal(file[n])]


def prefixed():
    return {f"module.{name}": value for name, value in file.items()}


for way in ("other names", "initialized later", "right"):
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
    saved = prefixed() if way == "other names" else file
    message = model.load_state_dict(saved, strict=False)
    if way == "initialized later":
        print(message)
        nn.init.xavier_uniform_(model[0].weight)
    print(f"{way:18}{len(differs(model, saved))}")
    assert (differs(model, saved) == []) == (way == "right")

# %%
# Grayscale images, RGB-D, four channels: change the first convolution
# --------------------------------------------------------------------
# ``Given groups=1, weight of size [8, 3, 3, 3], expected input[2, 1, 6, 6] to have 3
# channels, but got 1 channels instead``: a pretrained network wants RGB. Repeat the
# channel, ``gray.expand(-1, 3, -1, -1)``, or add up the weights over the input
# channels, which gives the same output, so that everything can stay frozen. This holds
# if the three channels are normalized with the same numbers.
#
# A fourth channel needs new weights. With zeros the network begins with its pretrained
# output, and only this layer has to train. But it is the first one, so ``backward()``
# goes through all frozen layers, and their activations are kept
# (:doc:`/gallery/cost/frozen_and_still_expensive`). A first convolution that is random
# and *frozen* spoils all features. In timm, ``in_chans=1`` adds the weights up, and
# ``in_chans=4`` repeats and scales them (read in `_manipulate.py
# <https://github.com/huggingface/pytorch-image-models/blob/main/timm/models/_manipulate.py>`__,
# not run here).
conv = nn.Conv2d(3, 8, 3).requires_grad_(False)
gray, depth = torch.randn(2, 1, 6, 6), torch.randn(2, 1, 6, 6)
try:
    conv(gray)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("one channel is enough")
print(message)
assert "to have 3 channels, but got 1 channels instead" in message
rgb, one, four = gray.expand(-1, 3, -1, -1), nn.Conv2d(1, 8, 3), nn.Conv2d(4, 8, 3)
with torch.no_grad():
    one.weight.copy_(conv.weight.sum(1, keepdim=True))
    one.bias.copy_(conv.bias)
    four.weight[:, :3], four.weight[:, 3:] = conv.weight, 0
    four.bias.copy_(conv.bias)
rgbd = torch.cat([rgb, depth], 1)
same = [out.allclose(conv(rgb), atol=1e-5) for out in (one(gray), four(rgbd))]
print(same)
assert same == [True, True]
four(rgbd).square().sum().backward()
assert four.weight.grad[:, 3].any()

# %%
# Frozen backbone in bfloat16, head in float32
# --------------------------------------------
# That is possible, and halves the memory of the backbone. The weights do not change, so
# no small update is rounded away. Convert the features back before the head, which
# should train in ``float32``; without that, ``mat1 and mat2 must have the same dtype``
# (:doc:`/reference/errors/have_the_same_dtype`). ``bfloat16`` rounds each value by up
# to 0.4%, so the features differ a little: use the same dtype in the evaluation.
half = nn.Sequential(nn.Linear(12, 32), nn.Tanh())
half.load_state_dict(backbone.state_dict())
half.requires_grad_(False).to(torch.bfloat16)
inputs, head = (images / 255 - 0.45) / 0.225, nn.Linear(32, 10)
out = head(half(inputs.to(torch.bfloat16)).float())
functional.cross_entropy(out, labels).backward()
print(
    out.dtype, head.weight.grad.dtype, half[0].weight.nbytes, backbone[0].weight.nbytes
)
assert head.weight.grad.dtype == torch.float32
assert 2 * half[0].weight.nbytes == backbone[0].weight.nbytes
assert (half(inputs.to(torch.bfloat16)).float() - backbone(inputs)).abs().max() < 0.05
value = torch.tensor(1.0039)
assert 0.0038 < 1 - value.bfloat16().float() / value < 0.004

# %%
# Where it ends
# -------------
# A backbone with batch norm that normalizes its input by the batch, in ``train()``,
# hides a wrong scale, and in ``eval()`` the accuracy is at chance:
# :doc:`batch_norm_with_small_batches`. A layer norm hides it in both modes.
norm = nn.BatchNorm1d(12)
scaled = [norm.train()(data) for data in (images, images / 255)]
assert scaled[0].allclose(scaled[1], atol=1e-3)
norm = nn.BatchNorm1d(12).eval()
assert not norm(images).allclose(norm(images / 255))
norm = nn.LayerNorm(12)
assert norm(images).allclose(norm(images / 255), atol=1e-2)

# %%
# Check the input, then the weights, then the head. After that, think about unfreezing.
#
# Related: :doc:`freeze_a_backbone`, :doc:`did_my_freeze_work`,
# :doc:`/gallery/recipes/feature_cache`.
