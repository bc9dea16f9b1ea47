"""Train LoRA under gradient checkpointing, with a frozen text encoder."""

import hashlib

import torch
from diffusers import DDPMScheduler, UNet2DConditionModel
from peft import LoraConfig
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel

torch.manual_seed(0)
config = CLIPTextConfig(
    vocab_size=31,
    hidden_size=8,
    intermediate_size=16,
    num_hidden_layers=1,
    num_attention_heads=2,
    max_position_embeddings=8,
    bos_token_id=1,
    eos_token_id=2,
)
text_encoder = CLIPTextModel(config).requires_grad_(False)
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
unet.enable_gradient_checkpointing()
unet.train()
noise_scheduler = DDPMScheduler(num_train_timesteps=10)
trainable = [p for p in unet.parameters() if p.requires_grad]
optimizer = torch.optim.AdamW(trainable, lr=1e-2)
before = {name: p.detach().clone() for name, p in unet.named_parameters()}
losses = []
for _ in range(3):
    latents = torch.randn(4, 2, 8, 8)
    noise = torch.randn_like(latents)
    timesteps = torch.randint(0, 10, (4,))
    noisy = noise_scheduler.add_noise(latents, noise, timesteps)
    with torch.no_grad():
        text = text_encoder(torch.randint(3, 31, (4, 6))).last_hidden_state
    predicted = unet(noisy, timesteps, text).sample
    loss = nn.functional.mse_loss(predicted, noise)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    losses.append(loss.item())

print("losses", losses)
weights = str([p.tolist() for p in unet.parameters()])
print("weights", hashlib.sha256(weights.encode()).hexdigest())
changed = {
    name
    for name, parameter in unet.named_parameters()
    if not torch.equal(parameter, before[name])
}
assert len(changed) == len(trainable) == 64
assert all("lora_" in name for name in changed)
