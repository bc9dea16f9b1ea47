"""Give the optimizer an encoder whose features are computed under no_grad.

Expect: cut; encoder.*; no_grad; blame
"""

# Asked in: https://github.com/pranoyr/cnn-lstm/issues/6

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

set_seed(0)
accelerator = Accelerator(cpu=True)
encoder = nn.Sequential(nn.Linear(4, 8), nn.Tanh())
head = nn.Linear(8, 3)
optimizer = torch.optim.AdamW([*encoder.parameters(), *head.parameters()], lr=1e-2)
data = TensorDataset(torch.randn(64, 4), torch.randint(0, 3, (64,)))
encoder, head, optimizer, loader = accelerator.prepare(
    encoder, head, optimizer, DataLoader(data, batch_size=16)
)
before = [p.detach().clone() for p in (*encoder.parameters(), *head.parameters())]
for x, y in loader:
    with torch.no_grad():  # blame
        features = encoder(x)
    loss = nn.functional.cross_entropy(head(features), y)
    accelerator.backward(loss)
    optimizer.step()
    optimizer.zero_grad()

after = [*encoder.parameters(), *head.parameters()]
same = [torch.equal(new, old) for new, old in zip(after, before, strict=True)]
assert same == [True, True, False, False]
assert all(p.grad is None for p in encoder.parameters())
