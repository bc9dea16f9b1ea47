"""Actor, twin critics and a bare log_alpha have an optimizer each; targets follow."""

import copy

import torch
from torch import nn
from torch.distributions import Normal


def mlp(inputs, outputs):
    return nn.Sequential(nn.Linear(inputs, 16), nn.Mish(), nn.Linear(16, outputs))


class Learner:
    def __init__(self, observations=4, actions=2):
        self.actor = mlp(observations, 2 * actions)
        self.critics = nn.ModuleList(mlp(observations + actions, 1) for _ in range(2))
        self.targets = copy.deepcopy(self.critics).requires_grad_(False)
        self.log_alpha = torch.zeros(1, requires_grad=True)
        self.entropy = -float(actions)
        self.actor_optimizer = torch.optim.Adam(self.actor.parameters(), lr=3e-3)
        self.critic_optimizer = torch.optim.Adam(self.critics.parameters(), lr=3e-3)
        self.alpha_optimizer = torch.optim.Adam([self.log_alpha], lr=3e-3)

    def sample(self, state):
        mean, log_std = self.actor(state).chunk(2, -1)
        normal = Normal(mean, log_std.clamp(-5, 2).exp())
        raw = normal.rsample()
        action = raw.tanh()
        log_prob = normal.log_prob(raw) - (1 - action.square() + 1e-6).log()
        return action, log_prob.sum(-1, keepdim=True)

    def update(self, state, action, reward, following):
        alpha = self.log_alpha.exp().detach()
        with torch.no_grad():
            next_action, log_prob = self.sample(following)
            pair = torch.cat([following, next_action], -1)
            value = torch.min(*(target(pair) for target in self.targets))
            wanted = reward + 0.99 * (value - alpha * log_prob)
        pair = torch.cat([state, action], -1)
        critic_loss = sum((c(pair) - wanted).square().mean() for c in self.critics)
        self.critic_optimizer.zero_grad()
        critic_loss.backward()
        self.critic_optimizer.step()

        new_action, log_prob = self.sample(state)
        pair = torch.cat([state, new_action], -1)
        value = torch.min(*(c(pair) for c in self.critics))
        actor_loss = (alpha * log_prob - value).mean()
        self.actor_optimizer.zero_grad()
        actor_loss.backward()
        self.actor_optimizer.step()

        alpha_loss = -(self.log_alpha * (log_prob + self.entropy).detach()).mean()
        self.alpha_optimizer.zero_grad()
        alpha_loss.backward()
        self.alpha_optimizer.step()
        self.follow()
        return critic_loss.item()

    @torch.no_grad()
    def follow(self, tau=0.005):
        pairs = zip(self.targets.parameters(), self.critics.parameters(), strict=True)
        for target, parameter in pairs:
            target.lerp_(parameter, tau)


torch.manual_seed(18)
learner = Learner()
start = learner.critics[1][0].weight.tolist(), learner.actor[0].bias.tolist()
for _ in range(4):
    batch = torch.randn(32, 4), torch.rand(32, 2), torch.randn(32, 1)
    print(learner.update(*batch, torch.randn(32, 4)))
assert learner.critics[1][0].weight.tolist() != start[0]
assert learner.actor[0].bias.tolist() != start[1]
assert learner.log_alpha != 0
