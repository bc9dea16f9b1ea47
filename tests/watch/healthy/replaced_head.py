"""The head of a pretrained network is replaced before the optimizer is made."""

import hashlib

import torch
from torch import nn

torch.manual_seed(171)


class Pretrained(nn.Module):
    def __init__(self, num_classes=10):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv1d(1, 4, 3, bias=False), nn.BatchNorm1d(4))
        self.fc = nn.Linear(4, num_classes)

    def forward(self, x):
        return self.fc(torch.relu(self.stem(x)).mean(-1))


def load_pretrained():
    model = Pretrained()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(2):
        x = torch.randn(8, 1, 12)
        nn.functional.cross_entropy(model(x), torch.randint(10, (8,))).backward()
        optimizer.step()
        optimizer.zero_grad()
    return model


model = load_pretrained()
for param in model.parameters():
    param.requires_grad = False
model.fc = nn.Linear(model.fc.in_features, 2)
model.eval()
model.fc.train()
optimizer = torch.optim.Adam(model.fc.parameters(), lr=1e-2)
before = {name: value.clone() for name, value in model.state_dict().items()}
for step in range(6):
    x = torch.randn(8, 1, 12)
    loss = nn.functional.cross_entropy(model(x), (x.mean((1, 2)) > 0).long())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, repr(loss.item()))

for name, value in model.state_dict().items():
    assert torch.equal(value, before[name]) == name.startswith("stem"), name
digest = hashlib.sha256(torch.get_rng_state().numpy())
for value in model.state_dict().values():
    digest.update(value.numpy().tobytes())
print("digest", digest.hexdigest())
