"""A PPO update computes its features without gradients, as its rollout rightly does.

Expect: cut; *encoder.*; no_grad; # blame
"""

import torch
from torch import nn
from torch.distributions import Categorical


class PPO:
    def __init__(self, epochs=2, clip=0.2):
        self.encoder = nn.Sequential(nn.Linear(6, 12), nn.LayerNorm(12), nn.Tanh())
        self.actor, self.critic = nn.Linear(12, 4), nn.Linear(12, 1)
        networks = nn.ModuleList([self.encoder, self.actor, self.critic])
        self.optimizer = torch.optim.Adam(networks.parameters(), lr=1e-3, eps=1e-5)
        self.epochs, self.clip = epochs, clip

    @torch.no_grad()
    def collect(self, steps):
        states = torch.randn(steps, 6)
        policy = Categorical(logits=self.actor(self.encoder(states)))
        actions = policy.sample()
        returns = (actions == states.argmax(1)).float() - 0.25
        return states, actions, policy.log_prob(actions), returns

    def update(self):
        states, actions, old, returns = self.collect(40)
        for _ in range(self.epochs):
            for index in torch.randperm(40).split(20):
                with torch.no_grad():  # blame
                    features = self.encoder(states[index])
                values = self.critic(features)[:, 0]
                policy = Categorical(logits=self.actor(features))
                ratio = (policy.log_prob(actions[index]) - old[index]).exp()
                advantage = returns[index] - values.detach()
                clipped = ratio.clamp(1 - self.clip, 1 + self.clip)
                gain = torch.minimum(ratio * advantage, clipped * advantage).mean()
                error = (values - returns[index]).square().mean()
                loss = 0.5 * error - gain - 0.01 * policy.entropy().mean()
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()


torch.manual_seed(0)
ppo = PPO()
start = ppo.encoder[0].weight.tolist(), ppo.actor.weight.tolist()
for i in range(3):
    ppo.update()
    print("update", i)
assert ppo.encoder[0].weight.tolist() == start[0]
assert ppo.encoder[0].weight.grad is None
assert ppo.actor.weight.tolist() != start[1]
