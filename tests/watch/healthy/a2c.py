"""A2C shares a trunk between policy and value and sums three losses into one."""

import hashlib

import torch
from torch import nn

torch.manual_seed(28)


class ActorCritic(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(5, 24), nn.ReLU())
        self.policy = nn.Linear(24, 3)
        self.value = nn.Linear(24, 1)

    def forward(self, x):
        x = self.trunk(x)
        return torch.distributions.Categorical(logits=self.policy(x)), self.value(x)


net = ActorCritic()
optimizer = torch.optim.RMSprop(net.parameters(), lr=7e-4, alpha=0.99, eps=1e-5)
before = [p.detach().clone() for p in net.parameters()]
obs = torch.randn(4, 5)
for update in range(5):
    log_probs, values, rewards, entropy = [], [], [], 0.0
    for _ in range(5):
        dist, value = net(obs)
        action = dist.sample()
        obs = 0.5 * obs + torch.randn(4, 5)
        log_probs.append(dist.log_prob(action))
        values.append(value.squeeze(1))
        rewards.append((action == 1).float() + obs[:, 0])
        entropy = entropy + dist.entropy().mean() / 5
    with torch.no_grad():
        ret = net(obs)[1].squeeze(1)
    returns = []
    for reward in reversed(rewards):
        ret = reward + 0.9 * ret
        returns.append(ret)
    returns = torch.stack(returns[::-1])
    values = torch.stack(values)
    advantage = returns - values
    actor_loss = -(torch.stack(log_probs) * advantage.detach()).mean()
    critic_loss = advantage.pow(2).mean()
    loss = actor_loss + 0.5 * critic_loss - 0.01 * entropy
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), 0.5)
    optimizer.step()
    print(update, repr(loss.item()))

assert not any(map(torch.equal, before, net.parameters()))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in net.parameters():
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
