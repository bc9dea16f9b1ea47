"""The log of a policy's scale begins above the limit that it is clamped to.

Expect: zero; policy.log_std; its gradient is exactly zero;
"""

import torch
from torch import nn
from torch.distributions import Normal


class Policy(nn.Module):
    def __init__(self, initial):
        super().__init__()
        self.mean = nn.Sequential(nn.Linear(3, 12), nn.Tanh(), nn.Linear(12, 2))
        self.log_std = nn.Parameter(torch.full((2,), initial))

    def forward(self, state):
        return Normal(self.mean(state), self.log_std.clamp(-20, 2).exp())


torch.manual_seed(82)
policy = Policy(initial=2.5)
optimizer = torch.optim.RMSprop(policy.parameters(), lr=1e-3)
for update in range(3):
    states = torch.randn(25, 3)
    distribution = policy(states)
    actions = distribution.sample()
    rewards = -(actions - states[:, :2]).square().sum(1)
    advantage = (rewards - rewards.mean()) / rewards.std()
    loss = -(distribution.log_prob(actions).sum(1) * advantage).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(update, rewards.mean().item())
assert policy.log_std.tolist() == [2.5, 2.5]
assert policy.log_std.grad.tolist() == [0, 0]
assert policy.mean[0].weight.grad.any()
