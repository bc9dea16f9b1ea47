"""A gradient reversal layer trains features that a domain classifier can't use."""

import hashlib

import torch
from torch import nn


class GradientReversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, alpha):
        ctx.alpha = alpha
        return x.view_as(x)

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output.neg() * ctx.alpha, None


class DANN(nn.Module):
    def __init__(self):
        super().__init__()
        self.feature = nn.Sequential(nn.Linear(6, 12), nn.ReLU())
        self.label = nn.Linear(12, 3)
        self.domain = nn.Linear(12, 2)

    def forward(self, x, alpha):
        feature = self.feature(x)
        return self.label(feature), self.domain(GradientReversal.apply(feature, alpha))


torch.manual_seed(24)
model = DANN()
before = [p.detach().clone() for p in model.parameters()]
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
criterion = nn.CrossEntropyLoss()
for step in range(6):
    alpha = step / 6
    source, target = torch.randn(16, 6), torch.randn(16, 6) + 1
    labels = torch.randint(3, (16,))
    label_logits, domain_source = model(source, alpha)
    _, domain_target = model(target, alpha)
    loss = (
        criterion(label_logits, labels)
        + criterion(domain_source, torch.zeros(16, dtype=torch.long))
        + criterion(domain_target, torch.ones(16, dtype=torch.long))
    )
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, repr(loss.item()))

assert not any(map(torch.equal, before, model.parameters()))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in model.parameters():
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
