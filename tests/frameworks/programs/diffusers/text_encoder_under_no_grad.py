"""Give the optimizer a text encoder, too, and call it under no_grad.

Expect: cut; text_encoder.*; no_grad; blame
"""

# Asked in: https://github.com/edreisMD/ConVIRT-pytorch/issues/7

import itertools

import torch
from diffusers import DDPMScheduler, UNet2DConditionModel
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
text_encoder = CLIPTextModel(config)
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
noise_scheduler = DDPMScheduler(num_train_timesteps=10)
parameters = itertools.chain(unet.parameters(), text_encoder.parameters())
optimizer = torch.optim.AdamW(parameters, lr=1e-2)
text_encoder.train()
before = {name: p.detach().clone() for name, p in unet.named_parameters()}
of_text = [p.detach().clone() for p in text_encoder.parameters()]
for _ in range(3):
    latents = torch.randn(4, 2, 8, 8)
    noise = torch.randn_like(latents)
    timesteps = torch.randint(0, 10, (4,))
    noisy = noise_scheduler.add_noise(latents, noise, timesteps)
    with torch.no_grad():  # blame
        text = text_encoder(torch.randint(3, 31, (4, 6))).last_hidden_state
    predicted = unet(noisy, timesteps, text).sample
    loss = nn.functional.mse_loss(predicted, noise)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()

changed = {
    name
    for name, parameter in unet.named_parameters()
    if not torch.equal(parameter, before[name])
}
assert changed == before.keys()
assert all(map(torch.equal, text_encoder.parameters(), of_text))
assert all(p.grad is None for p in text_encoder.parameters())
