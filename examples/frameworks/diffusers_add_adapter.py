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
# Freeze, add the adapter, unfreeze what else should train, and make the optimizer last,
# from the parameters that require a gradient. `The documentation of diffusers
# <https://huggingface.co/docs/diffusers/api/loaders/peft>`__ describes the methods.
#
# Related: :doc:`/gallery/recipes/lora_by_hand`,
# :doc:`/gallery/three-ways/freeze_before_or_after_the_optimizer`,
# :doc:`/reference/errors/element_0_of_tensors_does_not_require_grad`.
