"""REINFORCE samples actions, keeps their log probabilities, and trains per episode."""

import hashlib

import torch
from torch import nn
from torch.distributions import Categorical

torch.manual_seed(26)


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.affine1 = nn.Linear(4, 16)
        self.dropout = nn.Dropout(p=0.2)
        self.affine2 = nn.Linear(16, 2)
        self.saved_log_probs = []
        self.rewards = []

    def forward(self, x):
        x = torch.relu(self.dropout(self.affine1(x)))
        return torch.softmax(self.affine2(x), dim=1)


policy = Policy()
optimizer = torch.optim.Adam(policy.parameters(), lr=1e-2)
before = [p.detach().clone() for p in policy.parameters()]


def select_action(state):
    probs = policy(state.unsqueeze(0))
    m = Categorical(probs)
    action = m.sample()
    policy.saved_log_probs.append(m.log_prob(action))
    return action.item()


def finish_episode():
    R = 0
    returns = []
    for r in policy.rewards[::-1]:
        R = r + 0.99 * R
        returns.insert(0, R)
    returns = torch.tensor(returns)
    returns = (returns - returns.mean()) / (returns.std() + 1e-8)
    policy_loss = [
        -log_prob * R
        for log_prob, R in zip(policy.saved_log_probs, returns, strict=True)
    ]
    optimizer.zero_grad()
    policy_loss = torch.cat(policy_loss).sum()
    policy_loss.backward()
    optimizer.step()
    del policy.rewards[:]
    del policy.saved_log_probs[:]
    return policy_loss.item()


for episode in range(5):
    state = torch.zeros(4)
    for _ in range(10):
        action = select_action(state)
        state = torch.randn(4) + (action - 0.5)
        policy.rewards.append(float(state[0] > 0) + 0.1 * action)
    print(episode, repr(finish_episode()))

assert not any(map(torch.equal, before, policy.parameters()))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in policy.parameters():
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
