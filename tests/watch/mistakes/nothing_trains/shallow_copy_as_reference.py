"""The frozen reference of a policy is a shallow copy, and so the policy is frozen too.

Expect: nothing trains; *; ;
Raises: element 0 of tensors does not require grad
"""

import copy

import torch
from torch import nn
from torch.nn.functional import log_softmax, logsigmoid


def log_probability(model, prompt, answer):
    return log_softmax(model(prompt), -1).gather(1, answer[:, None]).squeeze(1)


def preference_loss(policy, reference, batch, beta=0.1):
    prompt, chosen, rejected = batch
    margin = 0
    for answer, sign in ((chosen, 1), (rejected, -1)):
        new = log_probability(policy, prompt, answer)
        old = log_probability(reference, prompt, answer)
        margin = margin + sign * (new - old)
    return -logsigmoid(beta * margin).mean()


torch.manual_seed(2)
policy = nn.Sequential(nn.Embedding(12, 6), nn.Tanh(), nn.Linear(6, 12))
reference = copy.copy(policy)
reference.requires_grad_(False).eval()
assert policy[0].weight is reference[0].weight
optimizer = torch.optim.AdamW(policy.parameters(), lr=1e-5)
for _ in range(3):
    loss = preference_loss(policy, reference, torch.randint(12, (3, 8)))
    print("loss", loss.item())
    assert not loss.requires_grad
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
