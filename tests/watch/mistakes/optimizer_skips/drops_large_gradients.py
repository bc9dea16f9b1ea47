"""An optimizer drops groups with large gradients, and the first layer's always are.

Expect: still; policy.body.*; skipped by step();
"""

import torch
from torch import nn


class SafeAdam(torch.optim.Adam):
    def __init__(self, params, *, threshold, **options):
        super().__init__(params, **options)
        self.threshold = threshold

    def step(self, closure=None):
        dropped = []
        for group in self.param_groups:
            grads = [p.grad for p in group["params"] if p.grad is not None]
            if nn.utils.get_total_norm(grads) > self.threshold:
                dropped += [(p, p.grad) for p in group["params"]]
        for p, _ in dropped:
            p.grad = None
        result = super().step(closure)
        for p, grad in dropped:
            p.grad = grad
        return result


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(4, 16)
        self.action = nn.Linear(16, 3)
        nn.init.orthogonal_(self.body.weight, gain=1e-3)

    def forward(self, observation):
        return self.action(torch.tanh(self.body(observation))).log_softmax(-1)


def rollout(policy, steps=30):
    with torch.no_grad():
        observations = torch.randn(steps, 4) * torch.tensor([1.0, 10.0, 30.0, 300.0])
        actions = torch.multinomial(policy(observations).exp(), 1)
    returns = torch.randn(steps)
    return observations, actions, (returns - returns.mean()) / returns.std()


torch.manual_seed(60)
policy = Policy()
start = {name: p.detach().clone() for name, p in policy.named_parameters()}
groups = [{"params": policy.body.parameters()}, {"params": policy.action.parameters()}]
optimizer = SafeAdam(groups, threshold=1.0, lr=1e-2)
for update in range(3):
    observations, actions, returns = rollout(policy)
    loss = -(policy(observations).gather(1, actions)[:, 0] * returns).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(update, loss.item())
moved = {n: not torch.equal(p, start[n]) for n, p in policy.named_parameters()}
print(moved)
assert not moved["body.weight"]
assert not moved["body.bias"]
assert policy.body.weight.grad.any()
assert moved["action.weight"]
assert moved["action.bias"]
