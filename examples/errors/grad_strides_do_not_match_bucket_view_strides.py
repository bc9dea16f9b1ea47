"""
``Grad strides do not match bucket view strides``
=================================================

The training is right: ``DistributedDataParallel`` copies a gradient whose layout in
memory differs from that of its bucket. Convert the model to ``channels_last`` before
the wrapping. For a convolution of 1x1 nothing differs, and you can ignore it.
"""

# %%
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel as DDP

dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
x = torch.randn(2, 4, 6, 6)
# Wrong: the layout of the weight is changed after the wrapping.
conv = torch.nn.Conv2d(4, 4, 3)
wrapped = DDP(conv)
conv.to(memory_format=torch.channels_last)
wrapped(x).sum().backward()
# Right: convert first, then wrap.
conv = torch.nn.Conv2d(4, 4, 3).to(memory_format=torch.channels_last)
DDP(conv)(x).sum().backward()
assert conv.weight.grad.stride() == conv.weight.stride()

# %%
# Does it slow the training down?
# -------------------------------
# Compare ``grad.sizes()`` with the strides in the message. If the strides differ only
# where the size is 1, as in ``[256, 256, 1, 1]`` of a 1x1 convolution or ``[768, 1, 7,
# 7]`` of a depthwise one, the values lie in the same order: nothing is lost (`an issue
# of PyTorch <https://github.com/pytorch/pytorch/issues/157862>`__ calls it spurious).
# Such a gradient comes where the input of the convolution has another layout than its
# weight, as after ``permute()``, and only with some implementations of the convolution:
# ``contiguous()`` behind it avoids the warning. Or filter it:
# ``warnings.filterwarnings("ignore", "Grad strides do not match")``.
#
# If they differ elsewhere, each step reorders this gradient: convert the model first,
# then wrap it. ``gradient_as_bucket_view=True`` does not avoid the warning.
import warnings


def warned(model, *, convert=False, **options):
    wrapped = DDP(model, **options)
    if convert:
        model.to(memory_format=torch.channels_last)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        wrapped(x).sum().backward()
    return any("Grad strides do not match" in str(w.message) for w in caught)


# Otherwise PyTorch gives this warning once in a process.
usual = torch.is_warn_always_enabled()
torch.set_warn_always(True)
converted = torch.nn.Conv2d(4, 4, 3).to(memory_format=torch.channels_last)
found = {
    "converted, then wrapped": warned(converted),
    "wrapped, then converted": warned(torch.nn.Conv2d(4, 4, 3), convert=True),
    "1x1, then converted": warned(torch.nn.Conv2d(4, 4, 1), convert=True),
    "bucket view": warned(
        torch.nn.Conv2d(4, 4, 3), convert=True, gradient_as_bucket_view=True
    ),
}
torch.set_warn_always(usual)
for name, does_warn in found.items():
    print(f"{name:25}{does_warn}")
assert list(found.values()) == [False, True, True, True]
dist.destroy_process_group()

# %%
# Frozen parameters have no gradient, and so no such warning. It is given once in each
# process, from ``backward()``, so the line of your code that it shows is not the cause:
# look for ``permute()``, ``transpose()`` or ``einops.rearrange()`` before the layer of
# this size.
#
# Read on: :doc:`/gallery/beyond/freezing_under_ddp`.
