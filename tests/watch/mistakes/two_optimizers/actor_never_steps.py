"""The actor's backward runs and its optimizer is cleared, but it never steps.

Expect: not in optimizer; actor.*; gets a gradient that nobody applies;
"""

import torch
from torch import nn


def rollout(actor, steps):
    states = torch.randn(steps, 6)
    with torch.no_grad():
        actions = torch.distributions.Categorical(logits=actor(states)).sample()
    rewards = (actions == states[:, :3].argmax(1)).float()
    returns = torch.zeros(steps)
    running = 0.0
    for t in reversed(range(steps)):
        running = rewards[t] + 0.9 * running
        returns[t] = running
    return states, actions, returns


def main():
    torch.manual_seed(55)
    actor = nn.Sequential(nn.Linear(6, 12), nn.Tanh(), nn.Linear(12, 3))
    critic = nn.Sequential(nn.Linear(6, 12), nn.Tanh(), nn.Linear(12, 1))
    actor_optimizer = torch.optim.Adam(actor.parameters(), lr=1e-2)
    critic_optimizer = torch.optim.Adam(critic.parameters(), lr=1e-2)
    start = actor[0].weight.tolist(), critic[0].weight.tolist()
    for update in range(4):
        states, actions, returns = rollout(actor, 25)
        values = critic(states).squeeze(1)
        advantage = returns - values.detach()
        log_prob = actor(states).log_softmax(1).gather(1, actions[:, None])[:, 0]

        actor_optimizer.zero_grad()
        (-log_prob * advantage).mean().backward()

        critic_optimizer.zero_grad()
        nn.functional.mse_loss(values, returns).backward()
        critic_optimizer.step()
        print(update, returns.mean().item())
    assert actor[0].weight.tolist() == start[0]
    assert actor[0].weight.grad.any()
    assert critic[0].weight.tolist() != start[1]


main()
