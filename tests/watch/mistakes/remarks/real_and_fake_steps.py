"""The first of two steps for a critic applies what the loss of the maker left there.

Each optimizer steps twice in a round of the loop.

Note: the step() of RMSprop at real_and_fake_steps.py:43 also applies gradients from
"""

import torch
from torch import nn

torch.manual_seed(41)
maker = nn.Sequential(nn.Linear(5, 9), nn.ReLU(), nn.Linear(9, 5))
critic = nn.Sequential(nn.Linear(5, 9), nn.ReLU(), nn.Linear(9, 1))
of_maker = torch.optim.Adam(maker.parameters(), lr=1e-3)
of_critic = torch.optim.RMSprop(critic.parameters(), lr=1e-3)


def logistic(score, is_real):
    target = torch.full_like(score, float(is_real))
    return nn.functional.binary_cross_entropy_with_logits(score, target)


def reconstruct(source, target):
    loss = nn.functional.l1_loss(maker(source), target)
    loss.backward()
    of_maker.step()
    of_maker.zero_grad()


def fool(source):
    made = maker(source)
    logistic(critic(made), is_real=True).backward()
    of_maker.step()
    of_maker.zero_grad()
    return made.detach()


for _ in range(6):
    source, target = torch.randn(8, 5), torch.randn(8, 5)
    reconstruct(source, target)
    made = fool(source)
    logistic(critic(target), is_real=True).backward()
    of_critic.step()
    of_critic.zero_grad()
    logistic(critic(made), is_real=False).backward()
    of_critic.step()
    of_critic.zero_grad()
