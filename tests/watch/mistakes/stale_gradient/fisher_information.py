"""The Fisher information leaves gradients on all that is frozen after it.

Expect: moves; *heads.old.*; its stale .grad is applied by step();
Expect: moves; *shared.*; its stale .grad is applied by step();
"""

import torch
from torch import nn


class MultiHead(nn.Module):
    def __init__(self):
        super().__init__()
        self.shared = nn.Sequential(nn.Linear(6, 10), nn.ReLU())
        self.heads = nn.ModuleDict({"old": nn.Linear(10, 2), "new": nn.Linear(10, 2)})

    def forward(self, x, head):
        return self.heads[head](self.shared(x)).log_softmax(1)


class Continual:
    def __init__(self):
        self.model = MultiHead()
        self.fisher = {}

    def consolidate(self, data):
        for x, y in data:
            self.model.zero_grad()
            nn.functional.nll_loss(self.model(x, "old"), y).backward()
            for name, p in self.model.named_parameters():
                if p.grad is not None:
                    self.fisher[name] = self.fisher.get(name, 0) + p.grad.square()
        self.model.shared.requires_grad_(False)
        self.model.heads["old"].requires_grad_(False)

    def learn(self, data):
        optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3)
        for x, y in data:
            self.model.heads["new"].zero_grad()
            loss = nn.functional.nll_loss(self.model(x, "new"), y)
            loss.backward()
            optimizer.step()
            yield loss.item()


torch.manual_seed(70)
data = [(torch.randn(20, 6), torch.randint(2, (20,))) for _ in range(3)]
continual = Continual()
continual.consolidate(data)
assert len(continual.fisher) == 4
frozen = continual.model.shared[0].weight.clone()
print(list(continual.learn(data)))
assert not torch.equal(continual.model.shared[0].weight, frozen)
assert not continual.model.shared[0].weight.requires_grad
