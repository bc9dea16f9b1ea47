"""Train PPO with its own features extractor on continuous actions."""

import hashlib

import gymnasium
import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
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


class Encoder(BaseFeaturesExtractor):
    def __init__(self, observation_space):
        super().__init__(observation_space, features_dim=8)
        self.net = nn.Sequential(nn.Linear(2, 8), nn.Tanh())

    def forward(self, observations):
        return self.net(observations)


model = PPO(
    "MlpPolicy",
    Line(),
    policy_kwargs={"features_extractor_class": Encoder, "net_arch": [8]},
    n_steps=32,
    batch_size=16,
    n_epochs=2,
    seed=0,
    device="cpu",
)
before = {name: p.detach().clone() for name, p in model.policy.named_parameters()}
model.learn(64)

print("loss", model.logger.name_to_value["train/loss"])
weights = str([p.tolist() for p in model.policy.parameters()])
print("weights", hashlib.sha256(weights.encode()).hexdigest())
changed = {
    name
    for name, parameter in model.policy.named_parameters()
    if not torch.equal(parameter, before[name])
}
assert "log_std" in changed
assert changed == before.keys()
