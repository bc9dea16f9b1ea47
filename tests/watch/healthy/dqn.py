"""DQN collects a hundred transitions before it learns, and copies its target twice."""

import hashlib
import random
from collections import deque
from typing import NamedTuple

import torch
from torch import nn


class Transition(NamedTuple):
    state: torch.Tensor
    action: int
    reward: float
    next_state: torch.Tensor
    done: bool


class QNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        self.network = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))

    def forward(self, x):
        return self.network(x)


random.seed(32)
torch.manual_seed(32)
learning_starts, target_frequency, gamma = 100, 5, 0.95
q_network = QNetwork()
target_network = QNetwork()
target_network.load_state_dict(q_network.state_dict())
# As usual the target stays trainable; only no_grad and the optimizer leave it out.
optimizer = torch.optim.Adam(q_network.parameters(), lr=2.5e-3)
before = [p.detach().clone() for p in q_network.parameters()]
buffer = deque(maxlen=1000)
state = torch.zeros(4)
updates = 0

for global_step in range(112):
    epsilon = max(0.1, 1.0 - global_step / 100)
    if random.random() < epsilon:
        action = random.randrange(3)
    else:
        action = q_network(state).argmax().item()
    next_state = 0.9 * state + 0.3 * torch.randn(4)
    reward = float(next_state[action])
    done = global_step % 20 == 19
    buffer.append(Transition(state, action, reward, next_state, done))
    state = torch.zeros(4) if done else next_state

    if global_step >= learning_starts:
        data = Transition(*zip(*random.sample(buffer, 32), strict=True))
        with torch.no_grad():
            best, _ = target_network(torch.stack(data.next_state)).max(dim=1)
            alive = 1 - torch.tensor(data.done).float()
            td_target = torch.tensor(data.reward) + gamma * best * alive
        old_value = q_network(torch.stack(data.state))
        old_value = old_value.gather(1, torch.tensor(data.action)[:, None]).squeeze(1)
        loss = nn.functional.mse_loss(td_target, old_value)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        updates += 1
        print(global_step, repr(loss.item()))
        if updates % target_frequency == 0:
            target_network.load_state_dict(q_network.state_dict())

assert not any(map(torch.equal, before, q_network.parameters()))
assert not any(map(torch.equal, before, target_network.parameters()))
digest = hashlib.sha256(torch.get_rng_state().numpy())
digest.update(repr(random.getstate()).encode())
for p in [*q_network.parameters(), *target_network.parameters()]:
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
