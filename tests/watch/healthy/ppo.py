"""PPO collects a rollout without gradients and reuses it for several epochs."""

import hashlib
from dataclasses import dataclass

import torch
from torch import nn
from torch.distributions import Normal


@dataclass
class Args:
    seed: int = 29
    num_steps: int = 16
    num_iterations: int = 2
    update_epochs: int = 2
    minibatch_size: int = 8
    clip_coef: float = 0.2


def layer_init(layer, std=2**0.5, bias_const=0.0):
    nn.init.orthogonal_(layer.weight, std)
    nn.init.constant_(layer.bias, bias_const)
    return layer


class Agent(nn.Module):
    def __init__(self):
        super().__init__()
        self.critic = nn.Sequential(
            layer_init(nn.Linear(3, 16)), nn.Tanh(), layer_init(nn.Linear(16, 1), 1.0)
        )
        self.actor_mean = nn.Sequential(
            layer_init(nn.Linear(3, 16)), nn.Tanh(), layer_init(nn.Linear(16, 1), 0.01)
        )
        self.actor_logstd = nn.Parameter(torch.zeros(1, 1))

    def get_value(self, x):
        return self.critic(x)

    def get_action_and_value(self, x, action=None):
        mean = self.actor_mean(x)
        probs = Normal(mean, self.actor_logstd.expand_as(mean).exp())
        if action is None:
            action = probs.sample()
        log_prob = probs.log_prob(action).sum(1)
        return action, log_prob, probs.entropy().sum(1), self.critic(x)


args = Args()
torch.manual_seed(args.seed)
agent = Agent()
optimizer = torch.optim.Adam(agent.parameters(), lr=3e-3, eps=1e-5)
before = [p.detach().clone() for p in agent.parameters()]
obs = torch.zeros(args.num_steps, 3)
actions = torch.zeros(args.num_steps, 1)
logprobs = torch.zeros(args.num_steps)
rewards = torch.zeros(args.num_steps)
values = torch.zeros(args.num_steps)
next_obs = torch.randn(3)

for iteration in range(args.num_iterations):
    optimizer.param_groups[0]["lr"] = (1 - iteration / args.num_iterations) * 3e-3
    for step in range(args.num_steps):
        obs[step] = next_obs
        with torch.no_grad():
            action, logprob, _, value = agent.get_action_and_value(next_obs[None])
            values[step] = value.flatten()
        actions[step] = action
        logprobs[step] = logprob
        next_obs = 0.8 * next_obs + 0.2 * action[0] + 0.1 * torch.randn(3)
        rewards[step] = -next_obs.square().sum()
    with torch.no_grad():
        next_value = agent.get_value(next_obs[None]).item()
        advantages = torch.zeros_like(rewards)
        last = 0.0
        for t in reversed(range(args.num_steps)):
            after = values[t + 1] if t + 1 < args.num_steps else next_value
            delta = rewards[t] + 0.99 * after - values[t]
            advantages[t] = last = delta + 0.99 * 0.95 * last
        returns = advantages + values

    for _ in range(args.update_epochs):
        for rows in torch.randperm(args.num_steps).split(args.minibatch_size):
            _, newlogprob, entropy, newvalue = agent.get_action_and_value(
                obs[rows], actions[rows]
            )
            ratio = (newlogprob - logprobs[rows]).exp()
            adv = advantages[rows]
            adv = (adv - adv.mean()) / (adv.std() + 1e-8)
            clipped = ratio.clamp(1 - args.clip_coef, 1 + args.clip_coef)
            pg_loss = torch.max(-adv * ratio, -adv * clipped).mean()
            v_loss = 0.5 * (newvalue.view(-1) - returns[rows]).pow(2).mean()
            loss = pg_loss - 0.01 * entropy.mean() + 0.5 * v_loss
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(agent.parameters(), 0.5)
            optimizer.step()
            print(f"pg_loss={pg_loss.item()!r} loss={loss.item()!r}")

assert not any(map(torch.equal, before, agent.parameters()))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in agent.parameters():
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
