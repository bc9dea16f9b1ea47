"""
``Grad strides do not match bucket view strides``
=================================================

The training is right: ``DistributedDataParallel`` copies a gradient whose layout in
memory differs from that of its parameter. For a convolution of 1x1 nothing differs, and
you can ignore it. To avoid it, call ``contiguous()`` after ``permute()``.
"""

# %%
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel as DDP

dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
torch.manual_seed(0)
x = torch.randn(2, 5, 5, 4).permute(0, 3, 1, 2)
conv = torch.nn.Conv2d(4, 4, 1)
wrapped = DDP(conv)
# Wrong: the input of the convolution is in another layout than its weight.
wrapped(x).sum().backward()
strides = [conv.weight.grad.stride()]
# Right: one layout.
conv.zero_grad()
wrapped(x.contiguous()).sum().backward()
strides.append(conv.weight.grad.stride())
print(strides, conv.weight.stride())
assert strides == [(4, 1, 4, 4), (4, 1, 1, 1)]
assert conv.weight.stride() == (4, 1, 1, 1)

# %%
# Does it slow the training down?
# -------------------------------
# Compare ``grad.sizes()`` with the strides in the message. If the strides differ only
# where the size is 1, as in ``[256, 256, 1, 1]`` of a 1x1 convolution or ``[768, 1, 7,
# 7]`` of a depthwise one, the values lie in the same order: nothing is lost (`an issue
# of PyTorch <https://github.com/pytorch/pytorch/issues/157862>`__ calls it spurious).
# Then you may filter it: ``warnings.filterwarnings("ignore", "Grad strides do not
# match")``.
#
# If they differ elsewhere, each step reorders this gradient. That happens if the layout
# of the parameter was changed after the wrapping, for example by
# ``model.to(memory_format=torch.channels_last)``: convert first, then wrap.
# ``gradient_as_bucket_view=True`` does not avoid the warning.
import warnings


def warned(model, x, *, convert=False, **options):
    wrapped = DDP(model, **options)
    if convert:
        model.to(memory_format=torch.channels_last)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        wrapped(x).sum().backward()
    return any("Grad strides do not match" in str(w.message) for w in caught)


def converted(*size, **options):
    return torch.nn.Conv2d(*size, **options).to(memory_format=torch.channels_last)


# Otherwise PyTorch gives this warning once in a process.
usual = torch.is_warn_always_enabled()
torch.set_warn_always(True)
found = {
    "1x1": warned(torch.nn.Conv2d(4, 4, 1), x),
    "3x3": warned(torch.nn.Conv2d(4, 4, 3), x),
    "depthwise": warned(torch.nn.Conv2d(4, 4, 3, groups=4), x),
    "contiguous()": warned(torch.nn.Conv2d(4, 4, 1), x.contiguous()),
    "bucket view": warned(torch.nn.Conv2d(4, 4, 1), x, gradient_as_bucket_view=True),
    "converted, then wrapped": warned(converted(4, 4, 1), x),
    "wrapped, then converted": warned(torch.nn.Conv2d(4, 4, 3), x, convert=True),
}
torch.set_warn_always(usual)
for name, does_warn in found.items():
    print(f"{name:25}{does_warn}")
assert [name for name, does_warn in found.items() if does_warn] == [
    "1x1",
    "depthwise",
    "bucket view",
    "wrapped, then converted",
]
dist.destroy_process_group()

# %%
# Frozen parameters have no gradient, and so no such warning. It is given once in each
# process, from ``backward()``, so the line of your code that it shows is not the cause:
# look for ``permute()``, ``transpose()`` or ``einops.rearrange()`` before the layer of
# this size.
#
# Read on: :doc:`/gallery/beyond/freezing_under_ddp`.
