"""SAC tunes log_alpha as a bare tensor and lets a target critic follow by polyak."""

import copy
import hashlib

import torch
import torch.nn.functional as F
from torch import nn
from torch.distributions import Normal

torch.manual_seed(30)


class Actor(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(3, 16), nn.ReLU())
        self.mean = nn.Linear(16, 1)
        self.log_std = nn.Linear(16, 1)

    def forward(self, obs):
        h = self.trunk(obs)
        dist = Normal(self.mean(h), self.log_std(h).clamp(-5, 2).exp())
        x = dist.rsample()
        action = torch.tanh(x)
        log_prob = dist.log_prob(x) - torch.log(1 - action.pow(2) + 1e-6)
        return action, log_prob


class DoubleCritic(nn.Module):
    def __init__(self):
        super().__init__()
        self.q1 = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 1))
        self.q2 = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 1))

    def forward(self, obs, action):
        x = torch.cat([obs, action], -1)
        return self.q1(x), self.q2(x)


actor, critic = Actor(), DoubleCritic()
critic_target = copy.deepcopy(critic)
for p in critic_target.parameters():
    p.requires_grad = False
log_alpha = torch.tensor(0.1, requires_grad=True)
target_entropy = -1.0
actor_optimizer = torch.optim.Adam(actor.parameters(), lr=3e-3)
critic_optimizer = torch.optim.Adam(critic.parameters(), lr=3e-3)
alpha_optimizer = torch.optim.Adam([log_alpha], lr=3e-3)
weights = [*actor.parameters(), *critic.parameters(), log_alpha]
before = [p.detach().clone() for p in weights]
initial_target = [p.clone() for p in critic_target.parameters()]

for step in range(6):
    obs, action = torch.randn(16, 3), torch.rand(16, 1) * 2 - 1
    reward, next_obs = -obs.norm(dim=1, keepdim=True), obs + 0.1 * action
    alpha = log_alpha.exp().detach()

    with torch.no_grad():
        next_action, next_log_prob = actor(next_obs)
        next_q = torch.min(*critic_target(next_obs, next_action))
        target = reward + 0.99 * (next_q - alpha * next_log_prob)
    q1, q2 = critic(obs, action)
    critic_loss = F.mse_loss(q1, target) + F.mse_loss(q2, target)
    critic_optimizer.zero_grad()
    critic_loss.backward()
    critic_optimizer.step()

    for p in critic.parameters():
        p.requires_grad = False
    new_action, log_prob = actor(obs)
    actor_loss = (alpha * log_prob - torch.min(*critic(obs, new_action))).mean()
    actor_optimizer.zero_grad()
    actor_loss.backward()
    actor_optimizer.step()
    for p in critic.parameters():
        p.requires_grad = True

    alpha_loss = -(log_alpha * (log_prob.detach() + target_entropy)).mean()
    alpha_optimizer.zero_grad()
    alpha_loss.backward()
    alpha_optimizer.step()

    with torch.no_grad():
        pairs = zip(critic.parameters(), critic_target.parameters(), strict=True)
        for p, p_target in pairs:
            p_target.data.mul_(0.995)
            p_target.data.add_(0.005 * p.data)
    print(step, *(repr(x.item()) for x in (critic_loss, actor_loss, alpha_loss)))

assert not any(map(torch.equal, before, weights))
assert not any(map(torch.equal, initial_target, critic_target.parameters()))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in [*weights, *critic_target.parameters()]:
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
