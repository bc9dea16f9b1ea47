"""A frozen embedding with max_norm is rewritten by each of its own lookups.

Expect: moves; model.0.weight; the forward writes to this parameter;
"""

import torch
from torch import nn

torch.manual_seed(46)
vectors = torch.randn(40, 6) * 2
model = nn.Sequential(
    nn.Embedding.from_pretrained(vectors.clone(), freeze=True, max_norm=1.0),
    nn.Flatten(),
    nn.Linear(18, 2),
)
optimizer = torch.optim.Adam(p for p in model.parameters() if p.requires_grad)
for step in range(4):
    words = torch.randint(40, (5, 3))
    loss = nn.functional.cross_entropy(model(words), words.sum(1) % 2)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
assert not model[0].weight.requires_grad
assert not torch.equal(model[0].weight, vectors)
