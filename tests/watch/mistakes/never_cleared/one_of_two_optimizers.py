"""Two optimizers train two networks; only the gradients of one are cleared.

Expect: never cleared; AdamW; no zero_grad(); # steps
"""

import torch
from torch import nn


class Agent:
    def __init__(self):
        self.actor, self.critic = nn.Linear(3, 2), nn.Linear(3, 1)
        self.of_actor = torch.optim.Adam(self.actor.parameters(), lr=0.01)
        self.of_critic = torch.optim.AdamW(self.critic.parameters(), lr=0.01)

    def update(self, states, returns):
        values = self.critic(states).squeeze(1)
        nn.functional.mse_loss(values, returns).backward()
        torch.nn.utils.clip_grad_norm_(self.critic.parameters(), 1.0)
        self.of_critic.step()  # steps

        self.of_actor.zero_grad(set_to_none=False)
        chances = self.actor(states).log_softmax(1)[:, 0]
        (-(chances * (returns - values.detach())).mean()).backward()
        self.of_actor.step()


torch.manual_seed(84)
agent = Agent()
for _ in range(6):
    agent.update(torch.randn(8, 3), torch.randn(8))
