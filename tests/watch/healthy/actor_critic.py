"""An actor and a critic with an optimizer each learn from every single transition."""

import hashlib

import torch
from torch import nn
from torch.distributions import Normal


class Agent:
    def __init__(self, obs, act):
        self.actor = nn.Sequential(nn.Linear(obs, 16), nn.Tanh(), nn.Linear(16, act))
        self.critic = nn.Sequential(nn.Linear(obs, 16), nn.Tanh(), nn.Linear(16, 1))
        self.log_std = nn.Parameter(torch.zeros(act))
        self.actor_optimizer = torch.optim.Adam(
            [*self.actor.parameters(), self.log_std], lr=3e-3
        )
        self.critic_optimizer = torch.optim.Adam(self.critic.parameters(), lr=3e-3)

    def policy(self, state):
        return Normal(self.actor(state), self.log_std.exp())

    def act(self, state):
        with torch.no_grad():
            return self.policy(state).sample()

    def update(self, state, action, reward, next_state, done):
        value = self.critic(state)
        with torch.no_grad():
            target = reward + 0.99 * (1 - done) * self.critic(next_state)
        advantage = (target - value).detach()
        critic_loss = (value - target).pow(2).mean()
        self.critic_optimizer.zero_grad()
        critic_loss.backward()
        self.critic_optimizer.step()

        log_prob = self.policy(state).log_prob(action).sum(-1, keepdim=True)
        actor_loss = -(log_prob * advantage).mean()
        self.actor_optimizer.zero_grad()
        actor_loss.backward()
        self.actor_optimizer.step()
        return critic_loss.item(), actor_loss.item()

    def parameters(self):
        return [*self.actor.parameters(), self.log_std, *self.critic.parameters()]


torch.manual_seed(27)
agent = Agent(3, 2)
before = [p.detach().clone() for p in agent.parameters()]
state = torch.randn(3)
for t in range(12):
    action = agent.act(state)
    next_state = 0.9 * state + 0.1 * action.sum() + 0.1 * torch.randn(3)
    losses = agent.update(state, action, -next_state.norm(), next_state, t == 11)
    print(t, *map(repr, losses))
    state = next_state

assert not any(map(torch.equal, before, agent.parameters()))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in agent.parameters():
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
