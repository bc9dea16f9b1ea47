"""The features are computed once, without gradients, before LBFGS calls its closure.

Expect: cut; *features.*; no_grad; # blame
"""

import torch
from torch import nn


class Regressor(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Linear(3, 10), nn.Sigmoid())
        self.head = nn.Linear(10, 1)

    def forward(self, x):
        return self.head(self.features(x))


class Fit:
    def __init__(self, model, x, y):
        self.model, self.x, self.y = model, x, y
        self.optimizer = torch.optim.LBFGS(model.parameters(), lr=0.3, max_iter=4)

    def step(self):
        with torch.no_grad():  # blame
            hidden = self.model.features(self.x)

        def closure():
            self.optimizer.zero_grad()
            loss = (self.model.head(hidden) - self.y).square().mean()
            loss.backward()
            return loss

        return self.optimizer.step(closure)


torch.manual_seed(2)
x = torch.randn(30, 3)
fit = Fit(Regressor(), x, x.square().sum(1, keepdim=True))
first = fit.model.features[0].weight.tolist(), fit.model.head.weight.tolist()
for _ in range(3):
    print(fit.step().item())
assert fit.model.features[0].weight.tolist() == first[0]
assert fit.model.features[0].weight.grad is None
assert fit.model.head.weight.tolist() != first[1]
