"""
Freezing changed the output of my transformer: the fast path
============================================================

In ``eval()``, ``nn.TransformerEncoder`` takes another route if nothing needs a
gradient: all frozen, or under ``no_grad()``. Padded positions come out as zeros then.
"""

# %%
# Same weights, same input, another output
# ----------------------------------------
# One sequence of three tokens, of which the last is padding. The encoder runs as it is,
# then under ``no_grad()``, then frozen.
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
# The warning belongs to that route: it packs the tokens into a nested tensor, without
# the padding, computes, and fills up with zeros.

# %%
# Is the rest the same?
# ---------------------
# Yes, up to rounding, at the positions that are no padding.
for output in outputs.values():
    torch.testing.assert_close(output[0, :2], outputs["as it is"][0, :2])

# %%
# What comes out at each of the three positions, as it is (left) and frozen (right). The
# last row is padding.
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
# The route can be closed, for all encoders of the process:
torch.backends.mha.set_fastpath_enabled(False)
torch.testing.assert_close(encode(), outputs["as it is"])
torch.backends.mha.set_fastpath_enabled(True)

# %%
# Use only positions that are no padding. To compare a frozen model with a trained one,
# close the fast path in both. Its conditions are listed at
# :torch:`torch.nn.TransformerEncoderLayer`.
#
# Related: :doc:`eval_is_not_no_grad`, :doc:`/gallery/recipes/feature_cache`.
