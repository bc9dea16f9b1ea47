"""
``MultiheadAttention does not support NestedTensor outside of its fast path``
=============================================================================

``nn.TransformerEncoder`` checks only its first layer, which is frozen and in
``eval()``, and packs the tokens. A later layer, which trains, then does not accept
them. Create the encoder with ``enable_nested_tensor=False``.
"""

# %%
import warnings

import torch
from torch import nn

warnings.filterwarnings("ignore", message=".* nested tensors")
layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
padding = torch.tensor([[False, False, True]])

# Wrong: a frozen first layer, and the default options
encoder = nn.TransformerEncoder(layer, 2).eval()
encoder.layers[0].requires_grad_(False)
try:
    encoder(torch.ones(1, 3, 8), src_key_padding_mask=padding)
except AssertionError as error:
    print(f"AssertionError: {error}")
else:
    raise RuntimeError("a layer that trains took a nested tensor")

# Right: the same without nested tensors
encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
encoder.eval().layers[0].requires_grad_(False)
print(encoder(torch.ones(1, 3, 8), src_key_padding_mask=padding).shape)

# %%
# A later layer in training mode
# ------------------------------
# The message then ends with ``training is enabled``. This happens when the first layer
# is in ``eval()``, and no gradient of it is needed: it is frozen, or the call is under
# ``no_grad()``.


def call(encoder):
    encoder.train()
    encoder.layers[0].eval()
    with torch.no_grad():
        return encoder(torch.ones(1, 3, 8), src_key_padding_mask=padding)


# Wrong: the default options
try:
    call(nn.TransformerEncoder(layer, 2))
except AssertionError as error:
    message = str(error)
else:
    raise RuntimeError("a layer in training mode took a nested tensor")
assert message.endswith("training is enabled")

# Right: no nested tensors
print(call(nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)).shape)

# %%
# An encoder that exists already works after
# ``torch.backends.mha.set_fastpath_enabled(False)``, which holds for all encoders of
# the process.
torch.backends.mha.set_fastpath_enabled(False)
print(call(nn.TransformerEncoder(layer, 2)).shape)
torch.backends.mha.set_fastpath_enabled(True)

# %%
# Nested tensors of your own
# --------------------------
# ``nn.MultiheadAttention`` takes a nested tensor on its fast path only: in ``eval()``,
# and where no gradient is needed. To train it, pad the tensor and pass a mask.
attention = nn.MultiheadAttention(8, 2, batch_first=True).eval()
x = torch.nested.nested_tensor([torch.ones(2, 8), torch.ones(3, 8)])

# Wrong: the attention trains
try:
    attention(x, x, x, need_weights=False)
except AssertionError as error:
    message = str(error)
else:
    raise RuntimeError("an attention that trains took a nested tensor")
assert message.startswith("MultiheadAttention does not support NestedTensor")

# Right: a padded tensor
x = torch.nested.to_padded_tensor(x, 0.0)
padding = torch.tensor([[False, False, True], [False, False, False]])
output, _ = attention(x, x, x, key_padding_mask=padding)
output.sum().backward()
print(attention.in_proj_weight.grad.shape)
assert attention.in_proj_weight.grad is not None

# %%
# Read on: :doc:`/gallery/still-moves/freezing_changed_my_transformer`.
