"""A convolutional network with batch norm trains from a shuffling DataLoader."""

import copy
import hashlib

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self, classes=3):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1, bias=False),
            nn.BatchNorm2d(4),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(4, 8, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.AdaptiveAvgPool2d(1),
        )
        self.classifier = nn.Linear(8, classes)

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


def train_one_epoch(net, loader, criterion, optimizer):
    net.train()
    total = 0.0
    for images, labels in loader:
        optimizer.zero_grad(set_to_none=True)
        loss = criterion(net(images), labels)
        loss.backward()
        optimizer.step()
        print(f"loss {loss.item()!r}")
        total += loss.item() * len(images)
    return total / len(loader.dataset)


torch.manual_seed(1)
dataset = TensorDataset(torch.randn(24, 1, 8, 8), torch.randint(3, (24,)))
loader = DataLoader(dataset, batch_size=8, shuffle=True)
net = Net()
before = copy.deepcopy(net.state_dict())
optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=3)
for epoch in range(3):
    mean = train_one_epoch(net, loader, nn.CrossEntropyLoss(), optimizer)
    scheduler.step()
    print(f"epoch {epoch} mean {mean!r} lr {scheduler.get_last_lr()[0]!r}")

after = net.state_dict()
assert not any(torch.equal(before[name], after[name]) for name in after)
digest = hashlib.sha256(torch.get_rng_state().numpy())
for value in after.values():
    digest.update(value.numpy().tobytes())
print("digest", digest.hexdigest())
