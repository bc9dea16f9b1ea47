"""Train a ControlNet, whose outputs start at zero, beside a frozen UNet."""

import hashlib

import torch
from diffusers import ControlNetModel, DDPMScheduler, UNet2DConditionModel
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
controlnet = ControlNetModel.from_unet(
    unet, conditioning_embedding_out_channels=(4, 8), conditioning_channels=1
)
unet.requires_grad_(False)
controlnet.train()
noise_scheduler = DDPMScheduler(num_train_timesteps=10)
optimizer = torch.optim.AdamW(controlnet.parameters(), lr=1e-2)
before = {name: p.detach().clone() for name, p in controlnet.named_parameters()}
losses = []
for _ in range(4):
    latents, text = torch.randn(4, 2, 8, 8), torch.randn(4, 3, 8)
    noise = torch.randn_like(latents)
    timesteps = torch.randint(0, 10, (4,))
    noisy = noise_scheduler.add_noise(latents, noise, timesteps)
    picture = torch.rand(4, 1, 16, 16)
    down, middle = controlnet(noisy, timesteps, text, picture, return_dict=False)
    predicted = unet(
        noisy,
        timesteps,
        text,
        down_block_additional_residuals=down,
        mid_block_additional_residual=middle,
    ).sample
    loss = nn.functional.mse_loss(predicted, noise)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    losses.append(loss.item())

print("losses", losses)
weights = str([p.tolist() for p in controlnet.parameters()])
print("weights", hashlib.sha256(weights.encode()).hexdigest())
changed = {
    name
    for name, parameter in controlnet.named_parameters()
    if not torch.equal(parameter, before[name])
}
assert changed == before.keys()
