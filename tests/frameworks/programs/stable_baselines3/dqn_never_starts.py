"""End DQN before the steps that it collects before it starts to learn.

Note: The script ended without a backward.
"""

# Reported in: https://github.com/DLR-RM/stable-baselines3/issues/526

import gymnasium
import numpy as np
import torch
from stable_baselines3 import DQN


class Line(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(-2, 2, (2,))
    action_space = gymnasium.spaces.Discrete(2)

    def observe(self):
        return np.array([self.place, self.time / 8], dtype=np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place, self.time = self.np_random.uniform(-1, 1), 0
        return self.observe(), {}

    def step(self, action):
        self.place += 0.25 if action else -0.25
        self.time += 1
        return self.observe(), -abs(self.place), abs(self.place) > 2, self.time == 8, {}


model = DQN(
    "MlpPolicy",
    Line(),
    policy_kwargs={"net_arch": [8]},
    learning_starts=100,
    batch_size=16,
    seed=0,
    device="cpu",
)
before = {name: p.detach().clone() for name, p in model.policy.named_parameters()}
model.learn(64)

changed = {
    name
    for name, parameter in model.policy.named_parameters()
    if not torch.equal(parameter, before[name])
}
assert not changed
