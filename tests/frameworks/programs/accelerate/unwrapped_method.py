"""Call a method of the unwrapped model: in one process it is the same model."""

import hashlib

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

set_seed(0)


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(4, 8)
        self.head = nn.Linear(8, 3)

    def loss(self, x, y):
        return nn.functional.cross_entropy(self.head(self.encoder(x).tanh()), y)


accelerator = Accelerator(cpu=True)
model = Classifier()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
data = TensorDataset(torch.randn(64, 4), torch.randint(0, 3, (64,)))
model, optimizer, loader = accelerator.prepare(
    model, optimizer, DataLoader(data, batch_size=16)
)
before = {name: p.detach().clone() for name, p in model.named_parameters()}
losses = []
for x, y in loader:
    loss = accelerator.unwrap_model(model).loss(x, y)
    accelerator.backward(loss)
    optimizer.step()
    optimizer.zero_grad()
    losses.append(loss.item())

print("losses", losses)
weights = str([p.tolist() for p in model.parameters()])
print("weights", hashlib.sha256(weights.encode()).hexdigest())
for name, parameter in model.named_parameters():
    assert not torch.equal(parameter, before[name]), name
