"""The weight of an entropy is used by item() only, and nothing teaches it.

Expect: unused; *log_alpha; its result left PyTorch by item(); # blame
"""

import torch
from torch import nn


class Learner:
    def __init__(self):
        self.policy = nn.Sequential(nn.Linear(5, 10), nn.ReLU(), nn.Linear(10, 3))
        self.log_alpha = torch.zeros(1, requires_grad=True)
        self.optimizer = torch.optim.Adam(
            [*self.policy.parameters(), self.log_alpha], lr=3e-4
        )

    def update(self, states, values):
        log_policy = self.policy(states).log_softmax(1)
        alpha = self.log_alpha.exp().item()  # blame
        gain = (log_policy.exp() * (values - alpha * log_policy)).sum(1)
        loss = -gain.mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()


torch.manual_seed(94)
learner = Learner()
for _ in range(4):
    print(learner.update(torch.randn(12, 5), torch.randn(12, 3)))
assert learner.log_alpha.item() == 0
assert learner.log_alpha.grad is None
assert learner.policy[0].weight.grad.any()
