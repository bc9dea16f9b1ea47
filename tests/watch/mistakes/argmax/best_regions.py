"""A network proposes regions by topk(), and only the classifier of regions is taught.

Expect: cut; detector.propose.*; topk() is not differentiable; # blame
"""

import torch
from torch import nn


class Detector(nn.Module):
    def __init__(self, regions):
        super().__init__()
        self.regions = regions
        self.propose = nn.Conv2d(1, 1, 3, padding=1)
        self.classify = nn.Linear(9, 2)

    def forward(self, image):
        heat = self.propose(image).flatten(1)
        index = heat.topk(self.regions, dim=1)[1]  # blame
        patches = nn.functional.unfold(image, 3, padding=1).transpose(1, 2)
        chosen = patches.gather(1, index[..., None].expand(-1, -1, 9))
        return self.classify(chosen).mean(1)


def batch(size):
    label = torch.randint(2, (size,))
    image = torch.rand(size, 1, 8, 8)
    image[:, :, 2:5, 2:5] += label[:, None, None, None]
    return image, label


torch.manual_seed(84)
detector = Detector(regions=5)
optimizer = torch.optim.SGD(detector.parameters(), lr=0.5)
start = detector.propose.weight.sum().item()
for step in range(3):
    image, label = batch(6)
    loss = nn.functional.cross_entropy(detector(image), label)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
assert detector.propose.weight.sum().item() == start
assert detector.propose.bias.grad is None
assert detector.classify.weight.grad.any()
