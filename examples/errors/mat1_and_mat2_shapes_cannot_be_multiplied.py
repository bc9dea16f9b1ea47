"""
``mat1 and mat2 shapes cannot be multiplied``
=============================================

A linear layer got another number of features than it was made for. The message names
the input first: its last number must be the ``in_features`` of the layer. A new head
takes this number from the old head.
"""

# %%
import torch
from torch import nn

x = torch.ones(2, 3, 8, 8)
body = [nn.Conv2d(3, 6, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1)]
model = nn.Sequential()
model.body = nn.Sequential(*body).requires_grad_(False)
model.flatten, model.fc = nn.Flatten(), nn.Linear(6, 10)
width = model.fc.in_features
try:
    # Wrong: a number from another model.
    model.fc = nn.Linear(4, 2)
    model(x)
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("six features fitted into four")
# Right: the number of the old head.
model.fc = nn.Linear(width, 2)
print(model(x).shape)
assert model(x).shape == (2, 2)

# %%
# ``list(model.children())[:-1]`` loses the flatten: (1024x1 and 512x2)
# ---------------------------------------------------------------------
# In many models, such as ResNet, ``torch.flatten()`` is a line of ``forward()`` and no
# layer. A ``Sequential`` of the children does not have it, and the new layer gets
# ``(batch, 512, 1, 1)``. Put ``nn.Flatten()`` in between. Or keep the model with its
# ``forward()``, and assign to ``model.fc``: the new head, or ``nn.Identity()`` if you
# want the features.


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.fc = nn.Sequential(*body), nn.Linear(6, 10)

    def forward(self, x):
        return self.fc(torch.flatten(self.body(x), 1))


net = Net()
features = nn.Sequential(*list(net.children())[:-1])
try:
    # Wrong: (2, 6, 1, 1) goes into the linear layer.
    nn.Sequential(features, nn.Linear(6, 2))(x)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("it was flat")
print(message)
assert message.endswith("mat1 and mat2 shapes cannot be multiplied (12x1 and 6x2)")
# Right: flatten, or keep forward().
right = nn.Sequential(features, nn.Flatten(), nn.Linear(6, 2))
net.fc = nn.Identity()
print(right(x).shape, net(x).shape)
assert right(x).shape == (2, 2)
assert net(x).shape == (2, 6)

# %%
# It works with one image size and fails with another
# ---------------------------------------------------
# If a flatten follows a convolution directly, the number of features is channels times
# height times width. ``nn.AdaptiveAvgPool2d()`` before the flatten gives the same
# number for every size. Or let ``nn.LazyLinear`` find the number from the first batch,
# and make the optimizer after that batch.
conv, small = nn.Conv2d(3, 6, 3), torch.ones(2, 3, 6, 6)
for name, layer in {"no pooling": nn.Identity(), "pooling": body[2]}.items():
    sizes = [layer(conv(images)).flatten(1).shape[1] for images in (x, small)]
    print(f"{name:11}{sizes}")
assert sizes == [6, 6]
lazy = nn.Sequential(conv, nn.Flatten(), nn.LazyLinear(2))
lazy(x)
print(lazy[2].in_features)
assert lazy[2].in_features == 216

# %%
# ``to have 3 channels, but got 1 channels instead``: grayscale images
# --------------------------------------------------------------------
# The first convolution of a pretrained model wants three channels. Repeat the channel,
# and everything may stay frozen: ``x.expand(-1, 3, -1, -1)``, or
# ``transforms.Grayscale(3)``. A new first layer is random, and must then be trained,
# unless you sum the pretrained weights over the channels: that gives the same output as
# the repeated channel (if the three channels were normalised alike, and up to
# rounding). For four or more channels, as in satellite images, copy the three and begin
# the others at zero: the output is that of the three at first, and the layer trains.
pretrained, gray = nn.Conv2d(3, 6, 3).requires_grad_(False), torch.rand(2, 1, 8, 8)
try:
    # Wrong: one channel.
    pretrained(gray)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("one channel was enough")
print(message.split(", ", maxsplit=1)[1])
assert message.endswith("to have 3 channels, but got 1 channels instead")
# Right: the channel three times, or the sum of the weights.
repeated = pretrained(gray.expand(-1, 3, -1, -1))
summed, four = nn.Conv2d(1, 6, 3), nn.Conv2d(4, 6, 3)
with torch.no_grad():
    summed.weight.copy_(pretrained.weight.sum(1, keepdim=True))
    summed.bias.copy_(pretrained.bias)
    four.weight.zero_()[:, :3] = pretrained.weight
    four.bias.copy_(pretrained.bias)
print(summed(gray).allclose(repeated, atol=1e-5))
assert summed(gray).allclose(repeated, atol=1e-5)
assert four(torch.rand(1, 4, 8, 8)).requires_grad
assert four(torch.cat([x, x[:, :1]], 1)).allclose(pretrained(x), atol=1e-5)

# %%
# The same mistake in other layers
# --------------------------------
# Each layer has words of its own. ``BatchNorm2d`` names its buffer, and ``LayerNorm``
# its ``normalized_shape``. Look at the layer that the traceback ends in, and at the one
# before it.
calls = {
    "BatchNorm2d": lambda: nn.BatchNorm2d(6)(x),
    "LayerNorm": lambda: nn.LayerNorm(6)(x),
    "LSTM": lambda: nn.LSTM(6, 2)(torch.ones(4, 1, 3)),
}
texts = {}
for name, call in calls.items():
    try:
        call()
    except RuntimeError as error:
        texts[name] = str(error)
    else:
        raise AssertionError(f"{name} accepted another number of features")
    print(f"{name:12}{texts[name]}")
assert texts["BatchNorm2d"] == "running_mean should contain 3 elements not 6"
assert texts["LayerNorm"].startswith("Given normalized_shape=[6], expected input with")

# %%
# (512x4096 and 1x8388608): a weight in 4 bits
# --------------------------------------------
# bitsandbytes packs two values of 4 bits into one byte and keeps a weight as one
# column: 4096 · 4096 / 2 is 8388608. ``Linear4bit`` knows how to unpack it; any other
# code that multiplies by ``layer.weight`` fails. Call the layer, not ``F.linear(x,
# layer.weight)``, and don't give such a layer a LoRA class that was written for
# ``nn.Linear``. In threads it was an old peft or transformers, or ``nn.DataParallel``,
# which the ``Trainer`` uses if one process sees several GPUs
# (``CUDA_VISIBLE_DEVICES=0`` or ``torchrun`` helps), or ``model.cuda()`` in a notebook
# (`bitsandbytes 600
# <https://github.com/bitsandbytes-foundation/bitsandbytes/issues/600>`__, `Baichuan2
# 218 <https://github.com/baichuan-inc/Baichuan2/issues/218>`__; read, not run).
packed = torch.empty(4096 * 4096 // 2, 1, dtype=torch.uint8, device="meta")
print(tuple(packed.t().shape))
assert packed.t().shape == (1, 8388608)

# %%
# Read on: :doc:`/gallery/freezing/freeze_a_backbone`, :doc:`have_the_same_dtype`.
