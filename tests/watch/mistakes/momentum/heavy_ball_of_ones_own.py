"""An optimizer of one's own adds momentum also where there is no gradient any more.

Expect: moves; trunk.*; momentum;
"""

import torch
from torch import nn
from torch.optim.optimizer import Optimizer


class HeavyBall(Optimizer):
    def __init__(self, params, lr=0.05, momentum=0.8):
        super().__init__(params, {"lr": lr, "momentum": momentum})
        for group in self.param_groups:
            for p in group["params"]:
                self.state[p]["momentum_buffer"] = torch.zeros_like(p)

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                buffer = self.state[p]["momentum_buffer"].mul_(group["momentum"])
                if p.grad is not None:
                    buffer.add_(p.grad)
                p.add_(buffer, alpha=-group["lr"])


torch.manual_seed(29)
trunk, policy, value = nn.Linear(5, 8), nn.Linear(8, 2), nn.Linear(8, 1)
layers = trunk, policy, value
optimizer = HeavyBall(p for layer in layers for p in layer.parameters())
positions = []
for iteration in range(4):
    if iteration == 1:
        trunk.requires_grad_(False)
    states, rewards = torch.randn(16, 5), torch.rand(16)
    h = torch.tanh(trunk(states))
    gain = (policy(h).log_softmax(1)[:, 0] * rewards).mean()
    loss = (value(h)[:, 0] - rewards).square().mean() - gain
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    positions.append(trunk.weight.tolist())
    print(iteration, loss.item())
assert trunk.weight.grad is None
assert positions[0] != positions[1] != positions[2] != positions[3]
