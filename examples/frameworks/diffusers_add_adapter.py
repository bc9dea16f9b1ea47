"""
diffusers: add_adapter() decides what trains, so freeze before it
=================================================================

``unet.requires_grad_(False)`` after ``unet.add_adapter()`` freezes the adapter, too,
and nothing trains. ``add_adapter()`` itself freezes everything but the adapter.
Unfreeze other layers after it.
"""

# %% tags=["hide-input"]
# A small UNet without pretrained weights, a batch of noise, and a loss.
import warnings

import torch
from diffusers import UNet2DConditionModel
from peft import LoraConfig, get_peft_model_state_dict

warnings.filterwarnings("ignore", module="peft")
lora = LoraConfig(r=2, init_lora_weights="gaussian", target_modules=["to_q", "to_v"])


def new_unet():
    torch.manual_seed(0)
    return UNet2DConditionModel(
        sample_size=8,
        in_channels=2,
        out_channels=2,
        layers_per_block=1,
        block_out_channels=(4,),
        norm_num_groups=2,
        down_block_types=("CrossAttnDownBlock2D",),
        up_block_types=("CrossAttnUpBlock2D",),
        mid_block_type=None,
        attention_head_dim=4,
        cross_attention_dim=4,
    )


def loss_of(unet):
    latents, text = torch.randn(1, 2, 8, 8), torch.randn(1, 3, 4)
    return unet(latents, torch.tensor([1]), text).sample.square().mean()


def trainable(unet):
    names = [name for name, p in unet.named_parameters() if p.requires_grad]
    adapters = sum("lora_" in name for name in names)
    return adapters, len(names) - adapters


# %%
right = new_unet()
right.requires_grad_(False)
right.add_adapter(lora)
loss_of(right).backward()
print("right:", *trainable(right))
assert trainable(right) == (24, 0)

wrong = new_unet()
wrong.add_adapter(lora)
wrong.requires_grad_(False)
print("wrong:", *trainable(wrong))
try:
    loss_of(wrong).backward()
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("something required a gradient")

# %%
# The numbers are the trainable parameters of the adapter and of the rest.
#
# ``train_text_to_image_lora.py``: element 0 of tensors does not require grad
# ---------------------------------------------------------------------------
# If you did not change the script, it mostly fits another version of diffusers. Scripts
# of 2023, and projects with a copy of one, call ``set_attn_processor()`` with a
# ``LoRAAttnProcessor``. With diffusers 0.24 or 0.25, and peft installed, the forward
# pass leaves these layers out: they require a gradient, the optimizer has them, and
# still the loss has no graph (`issue 6277
# <https://github.com/huggingface/diffusers/issues/6277>`__; run apart from this page
# with 0.24.0, 0.25.1 and peft 0.7.1. With 0.21.4, or without peft, it trains). Either:
#
# - take the script of your version, from the branch or tag of that name in the
#   repository of diffusers,
# - replace the block with the processors by the right form above, and give the
#   optimizer the parameters that require a gradient, or
# - install the version that the project names, such as ``diffusers==0.21.4``.
#
# If the script calls ``add_adapter()``, look for a ``requires_grad_(False)`` behind it,
# as in the wrong form. Gradient checkpointing is no cause here, as it is not reentrant
# in diffusers today; for code of your own: :doc:`checkpointing_with_adapters`.
from diffusers.models.attention_processor import LoRAAttnProcessor

try:
    LoRAAttnProcessor(hidden_size=4, cross_attention_dim=4, rank=2)
except TypeError as error:
    message = str(error)
    print(message)
else:
    raise AssertionError("the old processor was made")
assert "unexpected keyword argument 'hidden_size'" in message
right.zero_grad()
right.train().enable_gradient_checkpointing()
loss_of(right).backward()
reached = sum(p.grad is not None for p in right.parameters())
print(reached, "of", trainable(right)[0])
assert reached == trainable(right)[0]
right.disable_gradient_checkpointing()

# %%
# Which method changes ``requires_grad``?
# ---------------------------------------
# Every method for adapters that is called here. ``add_adapter()`` freezes the UNet,
# even without ``requires_grad_(False)``. A second adapter freezes the first one.
# ``disable_adapters()`` freezes the adapter, ``enable_adapters()`` unfreezes it. After
# ``delete_adapters()`` the UNet stays frozen. Make the optimizer after the last of
# these calls.
unet = new_unet()
steps = {
    "new": lambda: None,
    "add_adapter()": lambda: unet.add_adapter(lora),
    "disable_adapters()": unet.disable_adapters,
    "enable_adapters()": unet.enable_adapters,
    "add_adapter(second)": lambda: unet.add_adapter(lora, "second"),
    "set_adapter(both)": lambda: unet.set_adapter(["default", "second"]),
    "delete_adapters(both)": lambda: unet.delete_adapters(["default", "second"]),
}
found = []
for name, step in steps.items():
    step()
    found.append(trainable(unet))
    print(f"{name:24}", *found[-1])
    if name == "add_adapter(second)":
        names = [name for name, p in unet.named_parameters() if p.requires_grad]
        assert all(".second." in name for name in names)
on, off = (24, 0), (0, 0)
assert found == [(0, 122), on, off, on, on, (48, 0), off]

# %%
# ``Adapter with name default already exists``
# --------------------------------------------
# ``add_adapter()`` was called twice, for example in a cell that ran again, or on a
# model into which a LoRA was loaded. To begin anew, delete the old adapter first. To
# train the old one further, don't add another one. A second name keeps both, and the
# first one is frozen then. ``get_peft_model_state_dict(unet)`` without a name takes
# ``default``, so pass ``adapter_name``.
unet = new_unet()
unet.add_adapter(lora)
try:
    unet.add_adapter(lora)
except ValueError as error:
    message = str(error)
else:
    raise AssertionError("two adapters have one name")
print(message)
assert message.startswith("Adapter with name default already exists")
# Right: delete it, then add the new one.
unet.delete_adapters("default")
unet.add_adapter(lora)
print(*trainable(unet))
assert trainable(unet) == (24, 0)

# %%
# Train another layer beside the adapter
# --------------------------------------
# Unfreeze it after ``add_adapter()``, which freezes what was trainable before. PEFT's
# ``get_peft_model_state_dict()`` does not contain this layer, so save it as well.
unet = new_unet()
# Wrong: too early.
unet.conv_in.requires_grad_(True)
unet.add_adapter(lora)
assert trainable(unet) == (24, 0)
# Right: after the adapter.
unet.conv_in.requires_grad_(True)
print(*trainable(unet))
assert trainable(unet) == (24, 2)
loss_of(unet).backward()
assert unet.conv_in.weight.grad.any()

saved = get_peft_model_state_dict(unet)
print(len(saved), any("conv_in" in name for name in saved))
assert len(saved) == 24
assert not any("conv_in" in name for name in saved)

# %%
# ``modules_to_save`` with ``add_adapter()``: the weight has ``requires_grad=False``
# ----------------------------------------------------------------------------------
# The original layer is frozen by design, even if it was trainable before, like the rest
# of the model. What trains is a copy of it. So don't look at a tensor that you took
# before, but at ``named_parameters()``: for ``modules_to_save=["proj_out"]``,
# ``proj_out.modules_to_save.default.weight`` has to require a gradient, and
# ``proj_out.original_module.weight`` not. The forward pass uses the copy, and the file
# of the adapter has it.
#
# Is the copy frozen, too? In peft 0.15.1, ``inject_adapter_in_model()``, which
# ``add_adapter()`` calls, leaves it so (`issue 2494
# <https://github.com/huggingface/peft/issues/2494>`__). In 0.18.0 it trains, and after
# ``get_peft_model()`` it trains in both (all run). Upgrade; or unfreeze what has
# ``.modules_to_save.`` in its name, after ``add_adapter()`` and before the optimizer is
# made.
unet = new_unet()
original = unet.conv_out.weight
options = {"r": 2, "target_modules": ["to_q"], "modules_to_save": ["conv_out"]}
unet.add_adapter(LoraConfig(**options))
for name, p in unet.named_parameters():
    if name.startswith("conv_out.") and name.endswith(".weight"):
        print(name, p.requires_grad)
assert not original.requires_grad
assert unet.conv_out.modules_to_save["default"].weight.requires_grad
loss_of(unet).backward()
assert original.grad is None
assert unet.conv_out.modules_to_save["default"].weight.grad.any()
assert "conv_out.weight" in get_peft_model_state_dict(unet)

# %%
# Continue a saved LoRA: which parameters train after ``load_lora_adapter()``?
# ----------------------------------------------------------------------------
# The loaded adapter is trainable, unlike with ``PeftModel.from_pretrained()``, and the
# UNet is frozen. The optimizer is new: its state is not in the file. If you train
# without LoRA, freeze the UNet and unfreeze parts by name: ``attn2`` is the
# cross-attention to the text.
import tempfile

from diffusers.utils import logging

verbosity = logging.get_verbosity()
logging.set_verbosity_error()
with tempfile.TemporaryDirectory() as folder:
    right.save_lora_adapter(folder)
    loaded = new_unet()
    loaded.load_lora_adapter(folder, prefix=None, use_safetensors=True)
logging.set_verbosity(verbosity)
print(*trainable(loaded))
assert trainable(loaded) == (24, 0)
loss_of(loaded).backward()

unet = new_unet().requires_grad_(False)
for name, module in unet.named_modules():
    if name.endswith(".attn2"):
        module.requires_grad_(True)
names = [name for name, p in unet.named_parameters() if p.requires_grad]
print(len(names), names[0].split(".")[-3:])
assert all(".attn2." in name for name in names)
assert len(names) == 15

# %%
# The image of a pipeline has no gradient: ``@torch.no_grad()`` on ``__call__``
# -----------------------------------------------------------------------------
# The pipelines, such as ``StableDiffusionPipeline``, are for inference: ``__call__()``
# is decorated with ``no_grad()``, and ``requires_grad_()`` on a part of the pipeline or
# on the latents does not change that. Write the loop over the time steps yourself. The
# parts of the pipeline record, frozen or not. Or call the function below the decorator,
# with ``output_type="pt"``, so that the image stays a tensor. The graph has all steps,
# so it needs much memory: freeze what does not train, and take few steps.
from diffusers import DDIMPipeline, DDIMScheduler, UNet2DModel

size = {"block_out_channels": (8,), "norm_num_groups": 2, "layers_per_block": 1}
size |= {"attention_head_dim": 4, "in_channels": 1, "out_channels": 1}
blocks = {"down_block_types": ("DownBlock2D",), "up_block_types": ("UpBlock2D",)}
network = UNet2DModel(sample_size=8, **size, **blocks)
pipe = DDIMPipeline(network, DDIMScheduler())
pipe.set_progress_bar_config(disable=True)
# Wrong: the pipeline itself.
image = pipe(num_inference_steps=2, output_type="pt").images
# Right: its function without the decorator, or a loop of your own.
function = DDIMPipeline.__call__.__wrapped__
recorded = function(pipe, num_inference_steps=2, output_type="pt").images
network.requires_grad_(False)
latents = torch.randn(1, 1, 8, 8, requires_grad=True)
pipe.scheduler.set_timesteps(2)
own = latents
for t in pipe.scheduler.timesteps:
    own = pipe.scheduler.step(pipe.unet(own, t).sample, t, own).prev_sample
own.mean().backward()
print(image.requires_grad, recorded.requires_grad, latents.grad is not None)
assert not image.requires_grad
assert recorded.requires_grad
assert latents.grad.any()
assert network.conv_in.weight.grad is None

# %%
# CLIP guidance: a gradient through ``vae.decode()`` to the latents
# -----------------------------------------------------------------
# After the VAE, ``requires_grad`` is False, since everything inside the ``__call__()``
# of a pipeline runs under ``no_grad()``, a callback such as ``callback_on_step_end``,
# too. Wrap the part that needs a gradient in ``torch.enable_grad()``, make the latents
# leaves there, and call ``vae.decode(latents / scaling_factor)`` yourself: it records.
# (Some VAEs also have a ``shift_factor``, which is added.) Helpers of the pipeline
# convert to NumPy or PIL images, which carry no gradient. The VAE and CLIP may be
# frozen by ``requires_grad_(False)``: the gradient passes through them. If it has to
# pass through the UNet as well, call the UNet inside the block, too. In float16, the
# VAE of SDXL overflows: use float32 for it.
from diffusers import AutoencoderKL

blocks = ["DownEncoderBlock2D"], ["UpDecoderBlock2D"]
vae = AutoencoderKL(3, 3, *blocks, (4,), latent_channels=2, norm_num_groups=2)
vae.requires_grad_(False).eval()
latents, factor = torch.randn(1, 2, 8, 8), vae.config.scaling_factor
with torch.no_grad():  # as in the pipeline
    # Wrong: decoded without recording.
    wrong = vae.decode(latents.clone().requires_grad_() / factor).sample
    with torch.enable_grad():
        # Right: leaves, and the decoding inside of the block.
        leaves = latents.detach().requires_grad_()
        loss = vae.decode(leaves / factor).sample.square().mean()  # CLIP comes here
        (gradient,) = torch.autograd.grad(loss, leaves)
    guided = latents - 0.1 * gradient
print(wrong.requires_grad, loss.requires_grad, guided.equal(latents))
assert not wrong.requires_grad
assert loss.requires_grad
assert gradient.any()
assert not guided.equal(latents)
assert all(p.grad is None for p in vae.parameters())

# %%
# Freeze, add the adapter, unfreeze what else should train, and make the optimizer last,
# from the parameters that require a gradient. `The documentation of diffusers
# <https://huggingface.co/docs/diffusers/api/loaders/peft>`__ describes the methods.
#
# Related: :doc:`/gallery/recipes/lora_by_hand`,
# :doc:`/gallery/three-ways/freeze_before_or_after_the_optimizer`,
# :doc:`/reference/errors/element_0_of_tensors_does_not_require_grad`.
