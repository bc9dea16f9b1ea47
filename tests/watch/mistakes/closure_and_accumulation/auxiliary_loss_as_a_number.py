"""While gradients are accumulated, an auxiliary loss is added up as a Python number.

Expect: unused; net.depth.*; its result left PyTorch by item(); # blame
"""

import torch
from torch import nn


class TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, padding=1)
        self.mask = nn.Conv2d(6, 2, 1)
        self.depth = nn.Conv2d(6, 1, 1)

    def forward(self, image):
        h = torch.relu(self.stem(image))
        return self.mask(h), self.depth(h)


def micro_batches(count):
    for _ in range(count):
        image = torch.rand(2, 3, 5, 5)
        yield image, (image[:, 0] > 0.5).long(), image[:, 1:2]


def optimizer_step(net, optimizer, accumulate=3):
    running = 0.0
    optimizer.zero_grad()
    for image, labels, distance in micro_batches(accumulate):
        mask, depth = net(image)
        auxiliary = nn.functional.l1_loss(depth, distance)
        running += auxiliary.item()  # blame
        loss = nn.functional.cross_entropy(mask, labels) + 0.5 * running
        (loss / accumulate).backward()
    optimizer.step()
    return running / accumulate


torch.manual_seed(22)
net = TwoHeads()
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
for _ in range(4):
    print("depth error", optimizer_step(net, optimizer))
assert net.depth.weight.grad is None
assert net.depth.bias not in optimizer.state
assert net.mask.weight in optimizer.state
