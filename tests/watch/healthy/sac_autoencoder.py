"""The critic's loss trains a shared encoder, and the actor reads detached features."""

import hashlib
import itertools

import torch
from torch import nn

torch.manual_seed(31)


class Agent:
    def __init__(self):
        self.encoder = nn.Sequential(nn.Linear(8, 6), nn.LayerNorm(6), nn.Tanh())
        self.decoder = nn.Linear(6, 8)
        self.actor = nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 2))
        self.critic = nn.Sequential(nn.Linear(8, 12), nn.ReLU(), nn.Linear(12, 1))
        self.critic_opt = torch.optim.Adam(
            itertools.chain(self.encoder.parameters(), self.critic.parameters()), 1e-3
        )
        self.actor_opt = torch.optim.Adam(self.actor.parameters(), 1e-3)
        self.ae_opt = torch.optim.Adam(
            itertools.chain(self.encoder.parameters(), self.decoder.parameters()), 1e-3
        )

    @property
    def networks(self):
        return self.encoder, self.decoder, self.actor, self.critic

    def q(self, features, action):
        return self.critic(torch.cat([features, action], 1))

    def update_critic(self, obs, action, reward):
        loss = (self.q(self.encoder(obs), action).squeeze(1) - reward).pow(2).mean()
        self.critic_opt.zero_grad()
        loss.backward()
        self.critic_opt.step()
        return loss.item()

    def update_actor(self, obs):
        features = self.encoder(obs).detach()
        loss = -self.q(features, torch.tanh(self.actor(features))).mean()
        self.actor_opt.zero_grad()
        loss.backward()
        self.actor_opt.step()
        return loss.item()

    def update_autoencoder(self, obs):
        loss = (self.decoder(self.encoder(obs)) - obs).pow(2).mean()
        self.ae_opt.zero_grad()
        loss.backward()
        self.ae_opt.step()
        return loss.item()


agent = Agent()
weights = [p for net in agent.networks for p in net.parameters()]
before = [p.detach().clone() for p in weights]
for step in range(8):
    obs, action = torch.randn(16, 8), torch.rand(16, 2) * 2 - 1
    losses = [agent.update_critic(obs, action, obs.sum(1))]
    if step % 2 == 0:
        losses += [agent.update_actor(obs), agent.update_autoencoder(obs)]
    print(step, *map(repr, losses))

assert not any(map(torch.equal, before, weights))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in weights:
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
