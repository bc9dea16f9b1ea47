"""The loss of twin critics has the first of them twice, and the second not at all.

Expect: unused; *critic2.*; its result never reaches the loss; # blame
"""

import copy

import torch
import torch.nn.functional as F
from torch import nn


class TD3:
    def __init__(self):
        self.actor = nn.Sequential(nn.Linear(3, 10), nn.ReLU(), nn.Linear(10, 1))
        self.critic1 = nn.Sequential(nn.Linear(4, 10), nn.ReLU(), nn.Linear(10, 1))
        self.critic2 = nn.Sequential(nn.Linear(4, 10), nn.ReLU(), nn.Linear(10, 1))
        networks = self.actor, self.critic1, self.critic2
        self.targets = [copy.deepcopy(n).requires_grad_(False) for n in networks]
        self.actor_optimizer = torch.optim.Adam(self.actor.parameters(), lr=1e-3)
        self.critic_optimizer = torch.optim.Adam(
            [*self.critic1.parameters(), *self.critic2.parameters()], lr=1e-3
        )
        self.steps = 0

    def learn(self, state, action, reward, following):
        self.steps += 1
        actor, first, second = self.targets
        noise = (0.2 * torch.randn_like(action)).clamp(-0.5, 0.5)
        after = torch.cat(
            [following, (actor(following).tanh() + noise).clamp(-1, 1)], 1
        )
        wanted = reward + 0.99 * torch.minimum(first(after), second(after))
        now = torch.cat([state, action], 1)
        q1 = self.critic1(now)
        q2 = self.critic2(now)  # blame
        assert q1.shape == q2.shape
        loss = F.mse_loss(q1, wanted) + F.mse_loss(q1, wanted)
        self.critic_optimizer.zero_grad()
        loss.backward()
        self.critic_optimizer.step()
        if self.steps % 2 == 0:
            self.actor_optimizer.zero_grad()
            policy = torch.cat([state, self.actor(state).tanh()], 1)
            (-self.critic1(policy)).mean().backward()
            self.actor_optimizer.step()
        return loss.item()


torch.manual_seed(7)
td3 = TD3()
start = td3.critic2[0].weight.tolist()
for _ in range(8):
    state, following = torch.randn(2, 16, 3)
    print(td3.learn(state, torch.rand(16, 1), torch.randn(16, 1), following))
assert td3.critic2[0].weight.tolist() == start
assert td3.critic2[2].bias.grad is None
assert td3.critic1[2].bias.grad is not None
