"""The class centers of a center loss are parameters, and no optimizer has them.

Expect: not in optimizer; center_loss.centers; gets a gradient that nobody applies;
"""

import torch
from torch import nn
from torch.optim.lr_scheduler import StepLR


class CenterLoss(nn.Module):
    def __init__(self, classes, features):
        super().__init__()
        self.centers = nn.Parameter(torch.randn(classes, features))

    def forward(self, features, labels):
        return (features - self.centers[labels]).square().sum(1).mean() / 2


class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(1, 6, 3), nn.PReLU(), nn.MaxPool2d(2))
        self.features = nn.Linear(54, 2)
        self.logits = nn.Linear(2, 4, bias=False)

    def forward(self, x):
        features = self.features(self.conv(x).flatten(1))
        return features, self.logits(features)


torch.manual_seed(42)
model = LeNet()
softmax_loss = nn.CrossEntropyLoss()
center_loss = CenterLoss(4, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, weight_decay=5e-4)
scheduler = StepLR(optimizer, 2, gamma=0.8)
centers = center_loss.centers.tolist()
for epoch in range(3):
    for _ in range(2):
        x, y = torch.randn(8, 1, 8, 8), torch.randint(4, (8,))
        features, logits = model(x)
        loss = softmax_loss(logits, y) + 0.1 * center_loss(features, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    scheduler.step()
    print(epoch, scheduler.get_last_lr(), loss.item())
assert center_loss.centers.tolist() == centers
assert center_loss.centers.grad.any()
