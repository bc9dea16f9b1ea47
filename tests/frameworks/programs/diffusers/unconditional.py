"""Train a whole UNet, with an average of its weights and a warm-up from a rate of 0."""

import hashlib

import torch
from diffusers import DDPMScheduler, UNet2DModel
from diffusers.optimization import get_cosine_schedule_with_warmup
from diffusers.training_utils import EMAModel
from torch import nn

torch.manual_seed(0)
model = UNet2DModel(
    sample_size=8,
    in_channels=1,
    out_channels=1,
    layers_per_block=1,
    block_out_channels=(8, 16),
    norm_num_groups=4,
    down_block_types=("DownBlock2D", "AttnDownBlock2D"),
    up_block_types=("AttnUpBlock2D", "UpBlock2D"),
    attention_head_dim=8,
)
average = EMAModel(model.parameters(), model_cls=UNet2DModel, model_config=model.config)
noise_scheduler = DDPMScheduler(num_train_timesteps=10)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
schedule = get_cosine_schedule_with_warmup(optimizer, 2, num_training_steps=8)
before = {name: p.detach().clone() for name, p in model.named_parameters()}
losses = []
for _ in range(4):
    images = torch.randn(4, 1, 8, 8)
    noise = torch.randn_like(images)
    timesteps = torch.randint(0, 10, (4,))
    predicted = model(noise_scheduler.add_noise(images, noise, timesteps), timesteps)
    loss = nn.functional.mse_loss(predicted.sample, noise)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    schedule.step()
    optimizer.zero_grad()
    average.step(model.parameters())
    losses.append(loss.item())

print("losses", losses)
weights = str([p.tolist() for p in model.parameters()])
print("weights", hashlib.sha256(weights.encode()).hexdigest())
changed = {
    name
    for name, parameter in model.named_parameters()
    if not torch.equal(parameter, before[name])
}
assert changed == before.keys()
