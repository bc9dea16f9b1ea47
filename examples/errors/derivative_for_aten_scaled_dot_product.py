"""
``derivative for aten::_scaled_dot_product_efficient_attention_backward``
=========================================================================

"… is not implemented": the fused kernels of attention have no second derivative, which
MAML and a gradient penalty need. Run the forward under ``sdpa_kernel()`` with
``SDPBackend.MATH``, or load the model with ``attn_implementation="eager"``.
"""

# %%
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

torch.manual_seed(0)
x = torch.randn(1, 2, 4, 8, requires_grad=True)
try:
    # Wrong: a fused kernel.
    output = scaled_dot_product_attention(x, x, x)
    (slope,) = torch.autograd.grad(output.sum(), x, create_graph=True)
    slope.square().sum().backward()
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("the fused kernel was differentiated twice")
# Right: the same attention, made of single operations.
with sdpa_kernel(SDPBackend.MATH):
    output = scaled_dot_product_attention(x, x, x)
(slope,) = torch.autograd.grad(output.sum(), x, create_graph=True)
slope.square().sum().backward()
print(x.grad.shape)
assert x.grad.any()

# %%
# The message names the kernel: ``_scaled_dot_product_flash_attention_backward`` or
# ``_scaled_dot_product_efficient_attention_backward`` on a GPU (`pytorch 116350
# <https://github.com/pytorch/pytorch/issues/116350>`__, `learn2learn 429
# <https://github.com/learnables/learn2learn/issues/429>`__, not run),
# ``_scaled_dot_product_flash_attention_for_cpu_backward`` on the CPU. The first
# derivative works with each.
#
# Where does sdpa_kernel() belong?
# --------------------------------
# - Around the forward. Around the backward alone, it changes nothing.
# - With activation checkpointing, inside the function that is checkpointed, because it
#   runs again in the backward. Or around both, the forward and the backward.
#
# The price is memory: the math kernel saves the matrix of the attention weights, with
# one value for each pair of tokens, and the fused ones do not. So use it only for the
# steps that need a second derivative.
from torch.utils.checkpoint import checkpoint


def penalty(output, x):
    (slope,) = torch.autograd.grad(output.square().sum(), x, create_graph=True)
    return slope.square().mean()


def attend(x):
    return scaled_dot_product_attention(x, x, x)


def attend_by_math(x):
    with sdpa_kernel(SDPBackend.MATH):
        return attend(x)


def checkpointed(function, x):
    return checkpoint(function, x, use_reentrant=False)


def around_the_backward():
    output = attend(x)
    with sdpa_kernel(SDPBackend.MATH):
        penalty(output, x).backward()


def around_the_checkpoint():
    with sdpa_kernel(SDPBackend.MATH):
        output = checkpointed(attend, x)
    penalty(output, x).backward()


def around_both():
    with sdpa_kernel(SDPBackend.MATH):
        penalty(checkpointed(attend, x), x).backward()


def inside_the_checkpoint():
    penalty(checkpointed(attend_by_math, x), x).backward()


def works(step):
    try:
        step()
    except RuntimeError:
        return False
    return True


steps = around_the_backward, around_the_checkpoint, around_both, inside_the_checkpoint
found = {step.__name__: works(step) for step in steps}
for name, does_work in found.items():
    print(f"{name:23}{does_work}")
assert list(found.values()) == [False, False, True, True]

sizes, tokens = {}, torch.randn(1, 1, 64, 8, requires_grad=True)
for function in (attend, attend_by_math):
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda tensor, saved=saved: saved.append(tensor.numel()) or tensor,
        lambda tensor: tensor,
    ):
        function(tokens)
    sizes[function.__name__] = max(saved)
print(sizes)
assert sizes == {"attend": 64 * 8, "attend_by_math": 64 * 64}

# %%
# Layers and models that call it
# ------------------------------
# - ``nn.MultiheadAttention`` uses a fused kernel with ``need_weights=False`` only.
# - ``nn.TransformerEncoderLayer`` calls it that way. On the CPU, its dropout in
#   training mode selects the math kernel, so the error comes after ``eval()``. A kernel
#   of a GPU may have dropout (not run).
# - Freezing the layer does not help: the derivative goes through it.
from torch import nn

hidden = torch.randn(1, 4, 8, requires_grad=True)
attention = nn.MultiheadAttention(8, 2, batch_first=True)
layer = nn.TransformerEncoderLayer(8, 2, batch_first=True)


def by_attention(need_weights):
    output, _ = attention(hidden, hidden, hidden, need_weights=need_weights)
    penalty(output, hidden).backward()


def by_layer():
    penalty(layer(hidden), hidden).backward()


assert works(lambda: by_attention(need_weights=True))
assert not works(lambda: by_attention(need_weights=False))
assert works(by_layer)
layer.eval()
assert not works(by_layer)
layer.requires_grad_(False)
assert not works(by_layer)
with sdpa_kernel(SDPBackend.MATH):
    assert works(by_layer)

# %%
# A model of Transformers takes ``attn_implementation``, here in the configuration, and
# in ``from_pretrained()`` for a checkpoint.
from transformers import LlamaConfig, LlamaModel

size = {"vocab_size": 9, "hidden_size": 8, "intermediate_size": 8}
heads = {"num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2}
for choice in ("sdpa", "eager"):
    model = LlamaModel(LlamaConfig(**size, **heads, attn_implementation=choice))
    output = model(inputs_embeds=hidden).last_hidden_state
    ran = works(lambda output=output: penalty(output, hidden).backward())
    print(choice, ran)
    assert ran == (choice == "eager")

# %%
# ``derivative for aten::grid_sampler_2d_backward is not implemented``
# --------------------------------------------------------------------
# Upgrade: ``grid_sample()`` has a second derivative (:since:`2.12`, `the change
# <https://github.com/pytorch/pytorch/pull/177487>`__). On an older version, sample with
# operations of your own, here bilinear with zeros outside and
# ``align_corners=False``, or apply ``grid_sample()`` outside of the part whose gradient
# the loss contains. Neither ``retain_graph`` nor ``requires_grad`` helps.
#
# The second derivative comes of a penalty with ``create_graph=True``. In StyleGAN2-ADA
# and models built on it, it is R1: the gradient of the discriminator by the real image
# goes through the augmentation, which rotates with ``grid_sample()`` (`loss.py
# <https://github.com/NVlabs/stylegan2-ada-pytorch/blob/main/training/loss.py>`__, read,
# not run). If you can't upgrade:
#
# - ``--aug=noaug``, or ``--augpipe=color``, which moves no pixel. ``--gamma=0``
#   switches R1 off, which makes the training less stable.
# - ``grid_sample_gradfix not supported on PyTorch 1.10. Falling back``: their file
#   `grid_sample_gradfix.py
#   <https://github.com/NVlabs/stylegan3/blob/main/torch_utils/ops/grid_sample_gradfix.py>`__
#   has a second derivative, but the old one asks for 1.7 to 1.9. That of StyleGAN3
#   knows 1.11, too. If a newer version says ``'tuple' object is not callable``, write
#   ``op, _ = torch._C._jit_get_operation(...)`` in it. To add your version to the list
#   is not enough, because ``grid_sampler_2d_backward`` has an argument more since 1.11.
from torch.nn.functional import grid_sample


def sampled(image, grid):
    height, width = image.shape[2:]
    size = torch.tensor([width, height])
    place = ((grid + 1) * size - 1) / 2
    corner = place.detach().floor()
    result = 0
    for step in torch.cartesian_prod(torch.arange(2), torch.arange(2)):
        at = corner + step
        weight = (1 - (place - at).abs()).prod(-1) * ((at >= 0) & (at < size)).all(-1)
        column, row = at.long().clamp(min=0).minimum(size - 1).unbind(-1)
        pixels = torch.stack(
            [image[n, :, row[n], column[n]] for n in range(len(image))]
        )
        result = result + weight[:, None] * pixels
    return result


image = torch.rand(2, 3, 4, 5, requires_grad=True)
grid = (2.4 * torch.rand(2, 6, 7, 2) - 1.2).requires_grad_()
found = []
for function in (
    sampled,
    lambda image, grid: grid_sample(image, grid, align_corners=False),
):
    output = function(image, grid)
    slopes = torch.autograd.grad(
        output.square().sum(), [image, grid], create_graph=True
    )
    loss = sum(slope.square().sum() for slope in slopes)
    found.append([output, *torch.autograd.grad(loss, [image, grid])])
for own, built_in in zip(*found, strict=True):
    torch.testing.assert_close(own, built_in, rtol=1e-3, atol=1e-3)
assert found[0][1].any()

# %%
# Where it ends
# -------------
# - Two nested ``torch.func.grad`` raise the same. ``torch.func.hessian`` and ``jvp``
#   use forward mode and raise ``NotImplementedError``: *Trying to use forward AD with
#   _scaled_dot_product_flash_attention_for_cpu*. The math kernel has both.
# - Where first order is enough, as in first-order MAML, you need no other kernel: leave
#   out ``create_graph=True``. This is no way out for a gradient penalty.


def energy(x):
    return attend(x).square().sum()


def twice():
    torch.func.grad(lambda x: torch.func.grad(energy)(x).sum())(x.detach())


def in_forward_mode():
    torch.func.hessian(energy)(x.detach())


assert not works(twice)
try:
    in_forward_mode()
except NotImplementedError as error:
    message = str(error)
else:
    raise AssertionError("the fused kernel ran in forward mode")
assert message.startswith("Trying to use forward AD with _scaled_dot_product_flash_att")
with sdpa_kernel(SDPBackend.MATH):
    assert works(twice)
    assert works(in_forward_mode)
(slope,) = torch.autograd.grad(energy(x), x)
assert slope.any()

# %%
# Read on: :doc:`/gallery/beyond/complex_and_double_backward`,
# :doc:`/gallery/recipes/meta_learning`.
