"""Keep the layers of an extractor in a list, which PyTorch does not register.

Expect: unregistered; *features_extractor.layers*; ;
"""

# Reported in: https://github.com/pytorch/pytorch/issues/666

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
        self.layers = [nn.Linear(2, 8), nn.Tanh()]

    def forward(self, observations):
        for layer in self.layers:
            observations = layer(observations)
        return observations


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
old = model.policy.features_extractor.layers[0].weight.detach().clone()
before = {name: p.detach().clone() for name, p in model.policy.named_parameters()}
model.learn(64)

changed = {
    name
    for name, parameter in model.policy.named_parameters()
    if not torch.equal(parameter, before[name])
}
assert changed == before.keys()
new = model.policy.features_extractor.layers[0].weight
assert torch.equal(new, old)
assert new.grad.count_nonzero()
