"""A frozen backbone keeps its batch statistics in eval mode while the head trains."""

import hashlib

import torch
from torch import nn

torch.manual_seed(73)


class FineTuned(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Conv2d(1, 6, 3, padding=1, bias=False),
            nn.BatchNorm2d(6),
            nn.ReLU(inplace=True),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
        )
        self.fc = nn.Linear(24, 5)
        for param in self.backbone.parameters():
            param.requires_grad = False

    def train(self, mode=True):
        super().train(mode)
        self.backbone.eval()
        return self

    def forward(self, x):
        return self.fc(self.backbone(x))


model = FineTuned()
before = {name: value.clone() for name, value in model.state_dict().items()}
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
for epoch in range(3):
    model.train()
    for _ in range(2):
        images, labels = torch.randn(8, 1, 8, 8), torch.randint(5, (8,))
        loss = nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(epoch, repr(loss.item()))
    model.eval()
    with torch.inference_mode():
        print(epoch, repr(model(images).mean().item()))

for name, value in model.state_dict().items():
    assert torch.equal(value, before[name]) == name.startswith("backbone."), name
digest = hashlib.sha256(torch.get_rng_state().numpy())
for value in model.state_dict().values():
    digest.update(value.numpy().tobytes())
print("digest", digest.hexdigest())
