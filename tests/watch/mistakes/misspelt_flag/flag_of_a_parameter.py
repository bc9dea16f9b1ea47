"""The name of the flag is misspelt on two parameters, which train as before.

Expect: moves; model.words.weight; The name is requires_grad
Expect: moves; model.places; The name is requires_grad
Expect row: trains; model.out.weight; ;
"""

import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(12, 6)
        self.places = nn.Parameter(torch.randn(5, 6) * 0.1)
        self.out = nn.Linear(6, 12)
        self.words.weight.require_grad = False
        self.places.requires_grads = False

    def forward(self, tokens):
        return self.out((self.words(tokens) + self.places).mean(1))


torch.manual_seed(76)
model = Model()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
for _ in range(3):
    tokens = torch.randint(12, (7, 5))
    loss = nn.functional.cross_entropy(model(tokens), tokens[:, 0])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
