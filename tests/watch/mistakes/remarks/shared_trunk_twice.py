"""The trunk of policy and value is in the list of parameters twice, by both heads.

Note: .trunk.0.weight and 1 more: twice in RMSprop, whose step() moves it twice
"""

import warnings

import torch
from torch import nn

warnings.simplefilter("ignore")  # PyTorch, too, warns of it


class Head(nn.Module):
    def __init__(self, trunk, actions):
        super().__init__()
        self.trunk = trunk
        self.last = nn.Linear(10, actions)

    def forward(self, state):
        return self.last(self.trunk(state))


torch.manual_seed(23)
trunk = nn.Sequential(nn.Linear(4, 10), nn.Tanh())
policy, value = Head(trunk, 3), Head(trunk, 1)
parameters = [*policy.parameters(), *value.parameters()]
optimizer = torch.optim.RMSprop(parameters, lr=1e-3)
for _ in range(5):
    state, reward = torch.randn(12, 4), torch.randn(12)
    estimate = value(state).squeeze(1)
    chances = torch.distributions.Categorical(logits=policy(state))
    action = chances.sample()
    advantage = reward - estimate.detach()
    loss = (reward - estimate).square().mean()
    loss = loss - (advantage * chances.log_prob(action)).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
