"""TD3 updates its actor at every second step and its targets together with it."""

import copy
import hashlib

import torch
from torch import nn


class Critic(nn.Module):
    def __init__(self):
        super().__init__()
        self.q1 = nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 1))
        self.q2 = nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 1))

    def forward(self, state, action):
        sa = torch.cat([state, action], 1)
        return self.q1(sa), self.q2(sa)

    def Q1(self, state, action):
        return self.q1(torch.cat([state, action], 1))


class TD3:
    def __init__(self):
        self.actor = nn.Sequential(
            nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 2), nn.Tanh()
        )
        self.actor_target = copy.deepcopy(self.actor)
        self.actor_optimizer = torch.optim.Adam(self.actor.parameters(), lr=3e-3)
        self.critic = Critic()
        self.critic_target = copy.deepcopy(self.critic)
        self.critic_optimizer = torch.optim.Adam(self.critic.parameters(), lr=3e-3)
        # As in the original the targets stay trainable: no optimizer holds them.
        self.total_it = 0

    def select_action(self, state):
        return self.actor(state.reshape(1, -1)).data.numpy().flatten()

    def train(self, state, action, next_state, reward, not_done):
        self.total_it += 1
        with torch.no_grad():
            noise = (torch.randn_like(action) * 0.2).clamp(-0.5, 0.5)
            next_action = (self.actor_target(next_state) + noise).clamp(-1, 1)
            target_q = torch.min(*self.critic_target(next_state, next_action))
            target_q = reward + not_done * 0.99 * target_q
        current_q1, current_q2 = self.critic(state, action)
        critic_loss = nn.functional.mse_loss(current_q1, target_q)
        critic_loss = critic_loss + nn.functional.mse_loss(current_q2, target_q)
        self.critic_optimizer.zero_grad()
        critic_loss.backward()
        self.critic_optimizer.step()
        print(self.total_it, "critic", repr(critic_loss.item()))

        if self.total_it % 2 == 0:
            actor_loss = -self.critic.Q1(state, self.actor(state)).mean()
            self.actor_optimizer.zero_grad()
            actor_loss.backward()
            self.actor_optimizer.step()
            print(self.total_it, "actor", repr(actor_loss.item()))
            for net, target in (
                (self.critic, self.critic_target),
                (self.actor, self.actor_target),
            ):
                for p, p_target in zip(
                    net.parameters(), target.parameters(), strict=True
                ):
                    p_target.data.copy_(0.005 * p.data + 0.995 * p_target.data)


torch.manual_seed(33)
policy = TD3()
nets = [policy.actor, policy.critic, policy.actor_target, policy.critic_target]
weights = [p for net in nets for p in net.parameters()]
before = [p.detach().clone() for p in weights]
action = policy.select_action(torch.randn(3))
for _ in range(10):
    state, action = torch.randn(16, 3), torch.rand(16, 2) * 2 - 1
    next_state = state + 0.1 * action.sum(1, keepdim=True)
    policy.train(state, action, next_state, -next_state[:, :1].abs(), torch.ones(16, 1))

assert not any(map(torch.equal, before, weights))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in weights:
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
