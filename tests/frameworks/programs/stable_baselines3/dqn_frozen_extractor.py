"""Freeze the extractor of DQN, as for a pretrained one.

Expect row: frozen; *q_net.features_extractor.net.*; ;
"""

# Asked in: https://github.com/DLR-RM/stable-baselines3/issues/409

import gymnasium
import numpy as np
import torch
from stable_baselines3 import DQN
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import nn


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


class Encoder(BaseFeaturesExtractor):
    def __init__(self, observation_space):
        super().__init__(observation_space, features_dim=8)
        self.net = nn.Sequential(nn.Linear(2, 8), nn.Tanh())

    def forward(self, observations):
        return self.net(observations)


model = DQN(
    "MlpPolicy",
    Line(),
    policy_kwargs={"features_extractor_class": Encoder, "net_arch": [8]},
    learning_starts=16,
    batch_size=16,
    train_freq=1,
    seed=0,
    device="cpu",
)
model.q_net.features_extractor.requires_grad_(False)
before = {name: p.detach().clone() for name, p in model.policy.named_parameters()}
model.learn(24)

changed = {
    name
    for name, parameter in model.policy.named_parameters()
    if not torch.equal(parameter, before[name])
}
assert changed == {name for name in before if name.startswith("q_net.q_net.")}
