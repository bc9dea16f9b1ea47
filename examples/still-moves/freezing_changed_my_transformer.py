"""
Freezing changed the output of my transformer: the fast path
============================================================

With ``batch_first=True`` and a padding mask, a frozen ``nn.TransformerEncoder`` in
``eval()`` returns zeros for the padding. ``enable_nested_tensor=False`` prevents it.
"""

# %%
# The last of three tokens is padding. Is its output zero, trainable and frozen?
import torch
from torch import nn

torch.manual_seed(0)
layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
default = nn.TransformerEncoder(layer, 1).eval()
fixed = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
tokens = torch.randn(1, 3, 8)
padding = torch.tensor([[False, False, True]])
for encoder in (default, fixed.eval()):
    trainable = encoder(tokens, src_key_padding_mask=padding)
    encoder.requires_grad_(False)
    frozen = encoder(tokens, src_key_padding_mask=padding)
    zero = [not output[0, 2].any() for output in (trainable, frozen)]
    print(f"nested tensor {encoder.enable_nested_tensor}:", *zero)
    assert trainable[0, 2].any()
    assert frozen[0, 2].any() == (encoder is fixed)

# %%
# The warning comes from the fast path. It packs the tokens without the padding into a
# nested tensor, computes, and fills the padded positions with zeros. It has no
# backward, so the encoder takes it only where no gradient is needed: frozen, or under
# ``no_grad()``.
encoder = nn.TransformerEncoder(layer, 1).eval()


def encode():
    return encoder(tokens, src_key_padding_mask=padding).detach()


outputs = {"as it is": encode()}
with torch.no_grad():
    outputs["no_grad()"] = encode()
encoder.requires_grad_(False)
outputs["frozen"] = encode()
for way, output in outputs.items():
    print(f"{way:10} padded position is zero: {not output[0, 2].any()}")
assert outputs["as it is"][0, 2].any()
assert not outputs["no_grad()"][0, 2].any()
assert not outputs["frozen"][0, 2].any()

# %%
# Is the rest the same?
# ---------------------
# Yes. At the positions that are not padding, only rounding differs.
for output in outputs.values():
    torch.testing.assert_close(output[0, :2], outputs["as it is"][0, :2])

# %% tags=["hide-input"]
# The output at each of the three positions, as it is (left) and frozen (right). The
# last row is padding; frozen, it is zero, an even grey.
import matplotlib.pyplot as plt

_, axes = plt.subplots(1, 2, figsize=(5, 2.4), layout="constrained", sharey=True)
for ax, way in zip(axes, ("as it is", "frozen"), strict=True):
    ax.imshow(outputs[way][0], cmap="Greys", vmin=-2, vmax=2)
    ax.set(xlabel=way, xticks=[], yticks=range(3))
axes[0].set(ylabel="position")
plt.show()

# %%
# When does it matter?
# --------------------
# If you average over all positions, the padding counts, and freezing changes the mean.
# Leave the padding out, as you should anyway, and the mean stays the same.
means = {way: output.mean(1) for way, output in outputs.items()}
assert not torch.allclose(means["as it is"], means["frozen"])
kept = (~padding).float().unsqueeze(-1)
masked = {way: (out * kept).sum(1) / kept.sum(1) for way, out in outputs.items()}
torch.testing.assert_close(masked["as it is"], masked["frozen"])

# %%
# The fast path can also be switched off, for all encoders of the process:
torch.backends.mha.set_fastpath_enabled(False)
torch.testing.assert_close(encode(), outputs["as it is"])
torch.backends.mha.set_fastpath_enabled(True)

# %%
# enable_nested_tensor is True, but self.use_nested_tensor is False because ...
# -----------------------------------------------------------------------------
# The warning goes on with a reason, such as ``encoder_layer.norm_first was True``,
# ``encoder_layer.self_attn.batch_first was not True`` or
# ``encoder_layer.self_attn.num_heads is odd``. It is harmless: the encoder does not
# pack the tokens into a nested tensor, so no zeros appear at the padding. Pass
# ``enable_nested_tensor=False``, and it is gone. You need not change ``norm_first``.
import warnings

warnings.filterwarnings("ignore", "The PyTorch API of nested tensors")
pre_norm = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=True)
for enabled in (True, False):
    with warnings.catch_warnings(record=True, action="always") as found:
        quiet = nn.TransformerEncoder(pre_norm, 1, enable_nested_tensor=enabled).eval()
    print(*(warning.message for warning in found))
    assert len(found) == enabled
    assert quiet.requires_grad_(False)(tokens, src_key_padding_mask=padding)[0, 2].any()

# %%
# MultiheadAttention does not support NestedTensor outside of its fast path
# -------------------------------------------------------------------------
# This error comes when you freeze the first layer and let a later one train. The
# encoder looks only at its first layer and packs the tokens. The layer that trains
# can't take the fast path, and its other path takes no nested tensor.
half = nn.TransformerEncoder(layer, 2).eval()
half.layers[0].requires_grad_(False)
try:
    half(tokens, src_key_padding_mask=padding)
except AssertionError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise RuntimeError("a layer that trains took a nested tensor")

# %%
# It also comes in training, if you keep the frozen first layer in ``eval()``. With
# ``enable_nested_tensor=False`` the encoder does not pack, and both cases work.
for nested in (True, False):
    half = nn.TransformerEncoder(layer, 2, enable_nested_tensor=nested).train()
    half.layers[0].requires_grad_(False).eval()
    try:
        half(tokens, src_key_padding_mask=padding)
    except AssertionError:
        assert nested
    else:
        assert not nested
assert half.eval()(tokens, src_key_padding_mask=padding)[0, 2].any()


# %%
# Where it ends
# -------------
# Several conditions must hold for zeros to appear. Freezing changes the output by no
# more than rounding without a padding mask, with padding in front, with
# ``batch_first=False`` or ``norm_first=True``, or if the input requires a gradient.


def freezing_changes(tokens=tokens, padding=padding, **options):
    options = {"batch_first": True, **options}
    layer = nn.TransformerEncoderLayer(8, 2, 16, **options)
    if not options["batch_first"]:
        tokens = tokens.transpose(0, 1)
    with warnings.catch_warnings(action="ignore"):
        encoder = nn.TransformerEncoder(layer, 1).eval()
        before = encoder(tokens, src_key_padding_mask=padding)
        frozen = encoder.requires_grad_(False)(tokens, src_key_padding_mask=padding)
    return not torch.allclose(before, frozen, atol=1e-5)


assert freezing_changes()
assert not freezing_changes(padding=None)
assert not freezing_changes(padding=torch.tensor([[True, False, False]]))
assert not freezing_changes(batch_first=False)
assert not freezing_changes(norm_first=True)
assert not freezing_changes(tokens=tokens.clone().requires_grad_())

# %%
# Ignore the output at padded positions. To compare a frozen model with one that trains,
# switch the fast path off for both. To freeze a part of an encoder, build it with
# ``enable_nested_tensor=False``. When the fast path is taken is listed at
# :torch:`torch.nn.TransformerEncoderLayer`.
#
# Related: :doc:`eval_is_not_no_grad`, :doc:`/gallery/recipes/feature_cache`.
