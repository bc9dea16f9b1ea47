"""A target network is loaded with assign=True, and so it has no memory of its own.

Expect: moves; target.*; shares its memory with online;
"""

import torch
from torch import nn


class QNetwork(nn.Module):
    def __init__(self, observations=4, actions=3):
        super().__init__()
        self.trunk = nn.Linear(observations, 16)
        self.value = nn.Linear(16, 1)
        self.advantage = nn.Linear(16, actions)

    def forward(self, x):
        h = torch.relu(self.trunk(x))
        a = self.advantage(h)
        return self.value(h) + a - a.mean(1, keepdim=True)


def td_error(batch, gamma=0.99):
    state, action, reward, following = batch
    with torch.no_grad():
        best = target(following).amax(1)
    q = online(state).gather(1, action)[:, 0]
    return nn.functional.huber_loss(q, reward + gamma * best)


torch.manual_seed(50)
online, target = QNetwork(), QNetwork()
target.load_state_dict(online.state_dict(), assign=True)
target.requires_grad_(False)
optimizer = torch.optim.Adam(online.parameters(), lr=1e-3)
before = target.trunk.weight.tolist()
for step in range(5):
    action = torch.randint(3, (32, 1))
    batch = torch.randn(32, 4), action, torch.randn(32), torch.randn(32, 4)
    loss = td_error(batch)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
assert not target.trunk.weight.requires_grad
assert target.trunk.weight.tolist() != before
assert torch.equal(target.value.bias, online.value.bias)
