"""RND rewards what is new: a predictor learns to copy a random frozen network."""

import hashlib

import torch
from torch import nn

torch.manual_seed(34)


class RND(nn.Module):
    def __init__(self):
        super().__init__()
        self.predictor = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 8))
        self.target = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 8))
        for param in self.target.parameters():
            param.requires_grad = False

    def forward(self, next_obs):
        return self.predictor(next_obs), self.target(next_obs)


rnd = RND()
policy = nn.Linear(4, 3)
optimizer = torch.optim.Adam([*rnd.predictor.parameters(), *policy.parameters()], 1e-2)
fixed = [p.clone() for p in rnd.target.parameters()]
before = [p.detach().clone() for p in [*rnd.predictor.parameters(), policy.weight]]
for step in range(6):
    obs = torch.randn(32, 4)
    with torch.no_grad():
        guess, truth = rnd(obs)
        bonus = (guess - truth).pow(2).mean(1)
    dist = torch.distributions.Categorical(logits=policy(obs))
    action = dist.sample()
    reward = bonus + (action == 0).float()
    policy_loss = -(dist.log_prob(action) * (reward - reward.mean())).mean()
    guess, truth = rnd(obs)
    forward_loss = (guess - truth.detach()).pow(2).mean()
    loss = policy_loss + forward_loss
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, repr(loss.item()), repr(bonus.mean().item()))

after = [*rnd.predictor.parameters(), policy.weight]
assert not any(map(torch.equal, before, after))
assert all(map(torch.equal, fixed, rnd.target.parameters()))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for value in [*rnd.state_dict().values(), *policy.state_dict().values()]:
    digest.update(value.numpy().tobytes())
print("digest", digest.hexdigest())
