"""Disable the adapters for a first picture, and do not enable them again.

Expect: nothing trains; *; ;
Raises: does not require grad
"""

import torch
from diffusers import DDPMScheduler, UNet2DConditionModel
from peft import LoraConfig
from torch import nn

torch.manual_seed(0)
unet = UNet2DConditionModel(
    sample_size=8,
    in_channels=2,
    out_channels=2,
    layers_per_block=1,
    block_out_channels=(8, 16),
    norm_num_groups=4,
    down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
    up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    attention_head_dim=4,
    cross_attention_dim=8,
)
unet.requires_grad_(False)
lora = LoraConfig(
    r=2,
    init_lora_weights="gaussian",
    target_modules=["to_q", "to_k", "to_v", "to_out.0"],
)
unet.add_adapter(lora)
optimizer = torch.optim.AdamW(
    [p for p in unet.parameters() if p.requires_grad], lr=1e-2
)
noise_scheduler = DDPMScheduler(num_train_timesteps=10)
unet.disable_adapters()
with torch.no_grad():
    picture = unet(torch.randn(1, 2, 8, 8), 9, torch.randn(1, 3, 8)).sample
for _ in range(3):
    latents, text = torch.randn(4, 2, 8, 8), torch.randn(4, 3, 8)
    noise = torch.randn_like(latents)
    timesteps = torch.randint(0, 10, (4,))
    noisy = noise_scheduler.add_noise(latents, noise, timesteps)
    predicted = unet(noisy, timesteps, text).sample
    loss = nn.functional.mse_loss(predicted, noise)
    assert not loss.requires_grad
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
