"""The pretrained weights that a penalty pulls to are .data of the weights that train.

Expect: moves; classifier.*.anchor; shares its memory with;
"""

import torch
from torch import nn
from torch.nn import functional


class Anchored(nn.Linear):
    def __init__(self, in_features, out_features):
        super().__init__(in_features, out_features)
        self.anchor = nn.Parameter(self.weight.data, requires_grad=False)

    def penalty(self):
        return (self.weight - self.anchor).square().sum()


def train(classifier, optimizer, loader, strength=0.1):
    for x, y in loader:
        loss = functional.cross_entropy(classifier(x), y)
        penalty = sum(m.penalty() for m in classifier if isinstance(m, Anchored))
        optimizer.zero_grad()
        (loss + strength * penalty).backward()
        optimizer.step()
        print(loss.item(), "penalty", float(penalty))
        assert penalty == 0


torch.manual_seed(27)
classifier = nn.Sequential(Anchored(7, 9), nn.Hardswish(), Anchored(9, 3))
trained = [p for p in classifier.parameters() if p.requires_grad]
optimizer = torch.optim.AdamW(trained, lr=0.01, amsgrad=True)
anchor = classifier[2].anchor.clone()
loader = [(torch.randn(10, 7), torch.randint(3, (10,))) for _ in range(3)]
train(classifier, optimizer, loader)
assert not torch.equal(classifier[2].anchor, anchor)
