"""The critic values the policy's action under no_grad, so the actor learns nothing.

Expect: cut; *actor.*; no_grad; # blame
"""

import torch
from torch import nn


class Critic(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(5, 16), nn.CELU(), nn.Linear(16, 1))

    def forward(self, state, action):
        return self.layers(torch.cat([state, action], -1))


class Actor(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 16), nn.CELU(), nn.Linear(16, 1))
        self.exploration = nn.Parameter(torch.tensor(0.3))

    def forward(self, state):
        return torch.tanh(self.layers(state) + self.exploration * torch.randn(1))


def actor_loss(actor, critic, state):
    action = actor(state)
    with torch.no_grad():  # blame
        value = critic(state, action)
    return (-value.mean()).requires_grad_()


def critic_loss(actor, critic, state, reward):
    with torch.no_grad():
        action = actor(state)
    return (critic(state, action) - reward).square().mean()


torch.manual_seed(91)
actor, critic = Actor(), Critic()
optimizers = {
    "actor": torch.optim.AdamW(actor.parameters(), lr=1e-3, weight_decay=0),
    "critic": torch.optim.AdamW(critic.parameters(), lr=1e-3),
}
for step in range(3):
    state, reward = torch.randn(20, 4), torch.randn(20, 1)
    losses = {
        "critic": critic_loss(actor, critic, state, reward),
        "actor": actor_loss(actor, critic, state),
    }
    for name, loss in losses.items():
        optimizers[name].zero_grad()
        loss.backward()
        optimizers[name].step()
    print(step, {name: loss.item() for name, loss in losses.items()})
assert all(p.grad is None for p in actor.parameters())
assert not optimizers["actor"].state
assert all(p.grad.any() for p in critic.parameters())
