"""The weights of a critic are clipped, and with them those of its frozen features.

Expect: moves; critic.features.*; written by hand; # blame
"""

import torch
from torch import nn


class Critic(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Linear(2, 16), nn.LeakyReLU(0.2))
        self.score = nn.Linear(16, 1, bias=False)
        self.features.requires_grad_(False)

    def forward(self, x):
        return self.score(self.features(x))


torch.manual_seed(4)
generator, critic = nn.Linear(3, 2), Critic()
optimizer_c = torch.optim.RMSprop(critic.score.parameters(), lr=5e-4)
optimizer_g = torch.optim.RMSprop(generator.parameters(), lr=5e-4)
frozen = critic.features[0].weight.clone()
for step in range(3):
    real, fake = torch.randn(20, 2), generator(torch.randn(20, 3))
    optimizer_c.zero_grad()
    (critic(fake.detach()).mean() - critic(real).mean()).backward()
    optimizer_c.step()
    for parameter in critic.parameters():
        parameter.data.clamp_(-0.01, 0.01)  # blame
    optimizer_g.zero_grad()
    loss = -critic(generator(torch.randn(20, 3))).mean()
    loss.backward()
    optimizer_g.step()
    print(step, loss.item())
assert not critic.features[0].weight.requires_grad
assert not torch.equal(critic.features[0].weight, frozen)
assert critic.features[0].weight.abs().max() <= 0.01 < frozen.abs().max()
