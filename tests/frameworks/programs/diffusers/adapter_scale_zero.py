"""Set the scale of the adapter to 0 for a first picture, and leave it there.

Expect: nothing trains; *; ;
Expect: zero; unet.*.lora_?.default.weight; its gradient is exactly zero;
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
    init_lora_weights=False,
    target_modules=["to_q", "to_k", "to_v", "to_out.0"],
)
unet.add_adapter(lora)
noise_scheduler = DDPMScheduler(num_train_timesteps=10)
trainable = [p for p in unet.parameters() if p.requires_grad]
optimizer = torch.optim.AdamW(trainable, lr=1e-2, weight_decay=0)
unet.set_adapters("default", weights=0.0)
with torch.no_grad():
    picture = unet(torch.randn(1, 2, 8, 8), 9, torch.randn(1, 3, 8)).sample
before = {name: p.detach().clone() for name, p in unet.named_parameters()}
for _ in range(3):
    latents, text = torch.randn(4, 2, 8, 8), torch.randn(4, 3, 8)
    noise = torch.randn_like(latents)
    timesteps = torch.randint(0, 10, (4,))
    noisy = noise_scheduler.add_noise(latents, noise, timesteps)
    predicted = unet(noisy, timesteps, text).sample
    loss = nn.functional.mse_loss(predicted, noise)
    loss.backward()
    optimizer.step()
    assert not any(p.grad.count_nonzero() for p in trainable)
    optimizer.zero_grad()

changed = {
    name
    for name, parameter in unet.named_parameters()
    if not torch.equal(parameter, before[name])
}
assert not changed
assert len(trainable) == 64
