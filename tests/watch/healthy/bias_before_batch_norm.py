"""Biases before batch norm have gradients of mere rounding, and decay moves them."""

import hashlib

import torch
from torch import nn

torch.manual_seed(113)


def make_layers(cfg):
    layers, channels = [], 1
    for v in cfg:
        if v == "M":
            layers += [nn.MaxPool2d(2)]
        else:
            conv2d = nn.Conv2d(channels, v, kernel_size=3, padding=1)
            layers += [conv2d, nn.BatchNorm2d(v), nn.ReLU(inplace=True)]
            channels = v
    return nn.Sequential(*layers)


class VGG(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = make_layers([4, "M", 8, "M"])
        self.classifier = nn.Sequential(
            nn.Linear(8 * 2 * 2, 16), nn.ReLU(True), nn.Dropout(), nn.Linear(16, 4)
        )

    def forward(self, x):
        return self.classifier(torch.flatten(self.features(x), 1))


model = VGG()
optimizer = torch.optim.SGD(
    model.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4
)
before = {name: p.detach().clone() for name, p in model.named_parameters()}
for step in range(5):
    images, labels = torch.randn(8, 1, 8, 8), torch.randint(4, (8,))
    loss = nn.functional.cross_entropy(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, repr(loss.item()))

for name, p in model.named_parameters():
    assert not torch.equal(p, before[name]), name
digest = hashlib.sha256(torch.get_rng_state().numpy())
for value in model.state_dict().values():
    digest.update(value.numpy().tobytes())
print("digest", digest.hexdigest())
