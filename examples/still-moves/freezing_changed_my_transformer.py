"""
Freezing changed the output of my transformer: the fast path
============================================================

In ``eval()``, ``nn.TransformerEncoder`` takes another route when it is frozen or under
``no_grad()``. Padded positions come out as zeros then. Half frozen, it may fail.
"""

# %%
# Same weights, same input, another output
# ----------------------------------------
# One sequence of three tokens, of which the last is padding. The encoder runs as it is,
# then under ``no_grad()``, then frozen. What comes out for the padding differs.
import torch

torch.manual_seed(0)
layer = torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
encoder = torch.nn.TransformerEncoder(layer, 1).eval()
tokens = torch.randn(1, 3, 8)
padding = torch.tensor([[False, False, True]])


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
# The warning comes from that route, the fast path. It packs the tokens without the
# padding into a nested tensor, computes, and fills up with zeros. It has no backward,
# so the encoder takes it only where no gradient is needed.

# %%
# Is the rest the same?
# ---------------------
# Yes. At the positions that are no padding, only rounding differs.
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
# Leave the padding out, as you should anyway, and it does not.
means = {way: output.mean(1) for way, output in outputs.items()}
assert not torch.allclose(means["as it is"], means["frozen"])
kept = (~padding).float().unsqueeze(-1)
masked = {way: (out * kept).sum(1) / kept.sum(1) for way, out in outputs.items()}
torch.testing.assert_close(masked["as it is"], masked["frozen"])

# %%
# The fast path can be switched off, for all encoders of the process:
torch.backends.mha.set_fastpath_enabled(False)
torch.testing.assert_close(encode(), outputs["as it is"])
torch.backends.mha.set_fastpath_enabled(True)

# %%
# MultiheadAttention does not support NestedTensor outside of its fast path
# -------------------------------------------------------------------------
# This error comes when you freeze the first layer and let a later one train. The
# encoder asks only its first layer and packs the tokens. The layer that trains can't
# take the fast path, and has no other for a nested tensor.
half = torch.nn.TransformerEncoder(layer, 2).eval()
half.layers[0].requires_grad_(False)
try:
    half(tokens, src_key_padding_mask=padding)
except AssertionError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise RuntimeError("a layer that trains took a nested tensor")

# %%
# It also comes in training, if you keep the frozen first layer in ``eval()``. Build the
# encoder with ``enable_nested_tensor=False``, and it never packs.
half = torch.nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).eval()
half.layers[0].requires_grad_(False)
assert half(tokens, src_key_padding_mask=padding)[0, 2].any()
half.train().layers[0].eval()
half(tokens, src_key_padding_mask=padding)

# %%
# Use only positions that are no padding. To compare a frozen model with one that
# trains, switch the fast path off for both. To freeze a part of an encoder, build it
# with ``enable_nested_tensor=False``. When the fast path is taken is listed at
# :torch:`torch.nn.TransformerEncoderLayer`.
#
# Related: :doc:`eval_is_not_no_grad`, :doc:`/gallery/recipes/feature_cache`.
