"""Replace the last layer of SAC's actor, whose optimizer holds the old one.

Expect: not in optimizer; *actor.mu.*; nobody applies;
Expect: orphan; *; held by the optimizer, not by the model;
"""

import gymnasium
import numpy as np
import torch
from stable_baselines3 import SAC
from torch import nn


class Line(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(-2, 2, (2,))
    action_space = gymnasium.spaces.Box(-1, 1, (1,))

    def observe(self):
        return np.array([self.place, self.time / 8], dtype=np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place, self.time = self.np_random.uniform(-1, 1), 0
        return self.observe(), {}

    def step(self, action):
        self.place += action.item() / 4
        self.time += 1
        return self.observe(), -abs(self.place), abs(self.place) > 2, self.time == 8, {}


model = SAC(
    "MlpPolicy",
    Line(),
    policy_kwargs={"net_arch": [8]},
    learning_starts=16,
    batch_size=16,
    seed=0,
    device="cpu",
)
model.actor.mu = nn.Linear(8, 1)
before = {name: p.detach().clone() for name, p in model.policy.named_parameters()}
model.learn(24)

changed = {
    name
    for name, parameter in model.policy.named_parameters()
    if not torch.equal(parameter, before[name])
}
assert before.keys() - changed == {"actor.mu.weight", "actor.mu.bias"}
assert model.actor.mu.weight.grad.count_nonzero()
