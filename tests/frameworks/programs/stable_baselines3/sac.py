"""Train SAC, whose actor alone trains the extractor that it shares with the critic."""

import hashlib

import gymnasium
import numpy as np
import torch
from stable_baselines3 import SAC
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


model = SAC(
    "MlpPolicy",
    Line(),
    policy_kwargs={
        "features_extractor_class": Encoder,
        "net_arch": [8],
        "share_features_extractor": True,
    },
    learning_starts=16,
    batch_size=16,
    seed=0,
    device="cpu",
)
before = {name: p.detach().clone() for name, p in model.policy.named_parameters()}
model.learn(24)

print("loss", model.logger.name_to_value["train/critic_loss"])
print("entropy", model.log_ent_coef.item())
weights = str([p.tolist() for p in model.policy.parameters()])
print("weights", hashlib.sha256(weights.encode()).hexdigest())
changed = {
    name
    for name, parameter in model.policy.named_parameters()
    if not torch.equal(parameter, before[name])
}
assert model.log_ent_coef.item() != 0
targets = dict(model.critic_target.named_parameters())
assert changed == before.keys()
assert all(p.grad is None for p in targets.values())
