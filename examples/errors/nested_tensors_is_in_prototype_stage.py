"""
``The PyTorch API of nested tensors is in prototype stage and will change``
===========================================================================

``nn.TransformerEncoder`` took its fast path, because no gradient of its first layer is
needed: the layer is frozen, or the call is under ``no_grad()``. The outputs at padded
positions are then zero. ``enable_nested_tensor=False`` prevents both.
"""

# %%
import torch
from torch import nn

layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
layer.requires_grad_(False)
tokens = torch.randn(1, 3, 8, generator=torch.Generator().manual_seed(0))
padding = torch.tensor([[False, False, True]])

# Wrong: a frozen encoder in eval(), with padding at the end
encoder = nn.TransformerEncoder(layer, 1).eval()
wrong = encoder(tokens, src_key_padding_mask=padding)

# Right: the same encoder without nested tensors
encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
right = encoder.eval()(tokens, src_key_padding_mask=padding)
print(wrong[0, 2].any().item(), right[0, 2].any().item())
torch.testing.assert_close(wrong[0, :2], right[0, :2])
assert not wrong[0, 2].any()
assert right[0, 2].any()

# %%
# At the other positions both outputs agree, except for rounding. So you can also keep
# the fast path, ignore the warning, and use the outputs of the tokens only. An encoder
# that exists already leaves out its fast path after this call, which holds for all
# encoders of the process:
encoder = nn.TransformerEncoder(layer, 1).eval()
torch.backends.mha.set_fastpath_enabled(False)
slow = encoder(tokens, src_key_padding_mask=padding)
torch.backends.mha.set_fastpath_enabled(True)
torch.testing.assert_close(slow, right)
assert slow[0, 2].any()

# %%
# Nested tensors of your own
# --------------------------
# ``torch.nested.nested_tensor()`` gives the same warning. With ``layout=torch.jagged``,
# the layout that PyTorch recommends, it gives none.
import warnings

parts = [torch.ones(1), torch.ones(2)]

# Wrong: the strided layout, which is the default
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    nested = torch.nested.nested_tensor(parts)

# Right: the jagged layout
nested = torch.nested.nested_tensor(parts, layout=torch.jagged)
print(nested.layout)
assert nested.layout == torch.jagged

# %%
# Read on: :doc:`/gallery/still-moves/freezing_changed_my_transformer`.
