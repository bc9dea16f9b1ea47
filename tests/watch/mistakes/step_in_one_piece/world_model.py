"""A world model detaches its latent states in place before both of its heads.

Expect: cut; model.cell.*; detach_(); # blame
Expect: cut; model.observe.*; detach_(); # blame
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass
class Batch:
    images: Tensor
    actions: Tensor
    rewards: Tensor

    @classmethod
    def random(cls, size=4, time=5):
        images = torch.rand(size, time, 10)
        return cls(images, torch.randn(size, time, 2), images.mean(-1))


class WorldModel(nn.Module):
    def __init__(self, hidden=8):
        super().__init__()
        self.observe = nn.Linear(10, 6)
        self.cell = nn.GRUCell(8, hidden)
        self.decode = nn.Linear(hidden, 10)
        self.reward = nn.Linear(hidden, 1)
        self.optimizer = torch.optim.AdamW(self.parameters(), lr=6e-4, weight_decay=0)

    def imagine(self, batch):
        state = torch.zeros(len(batch.images), self.cell.hidden_size)
        for image, action in zip(
            batch.images.unbind(1), batch.actions.unbind(1), strict=True
        ):
            state = self.cell(torch.cat([self.observe(image), action], 1), state)
            yield state

    def learn(self, batch):
        states = torch.stack(list(self.imagine(batch)), 1)
        states.detach_()  # blame
        image_loss = (self.decode(states) - batch.images).square().mean()
        reward_loss = (self.reward(states)[..., 0] - batch.rewards).square().mean()
        self.optimizer.zero_grad(set_to_none=True)
        (image_loss + reward_loss).backward()
        nn.utils.clip_grad_norm_(self.parameters(), 100.0)
        self.optimizer.step()
        self.last = {"image": image_loss.item(), "reward": reward_loss.item()}


torch.manual_seed(26)
model = WorldModel()
for _ in range(4):
    model.learn(Batch.random())
    print(model.last)
assert model.cell.weight_hh.grad is None
assert model.observe.weight.grad is None
assert model.decode.weight.grad.any()
torch.manual_seed(26)
assert torch.equal(WorldModel().cell.weight_ih, model.cell.weight_ih)
