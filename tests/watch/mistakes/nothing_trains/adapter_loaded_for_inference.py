"""An adapter is loaded for inference, and so all parameters of the model are frozen.

Expect: nothing trains; *; ;
"""

import torch
from torch import nn


class Adapter(nn.Module):
    def __init__(self, base, rank):
        super().__init__()
        self.base = base
        self.a = nn.Parameter(torch.randn(rank, base.in_features) * 0.02)
        self.b = nn.Parameter(torch.randn(base.out_features, rank) * 0.02)

    def forward(self, x):
        return self.base(x) + x @ self.a.T @ self.b.T

    @classmethod
    def load(cls, base, rank, *, trainable=False):
        adapter = cls(base, rank)
        for parameter in adapter.parameters():
            parameter.requires_grad = trainable
        return adapter


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(30, 8)
        self.query = Adapter.load(nn.Linear(8, 8), rank=2)
        self.head = nn.Linear(8, 2)
        # So that checkpointed blocks have an input that requires grad.
        self.words.register_forward_hook(lambda *args: args[-1].requires_grad_())

    def forward(self, tokens):
        return self.head(self.query(self.words(tokens)).tanh().mean(1))


torch.manual_seed(1)
model = Classifier()
for parameter in (*model.words.parameters(), *model.head.parameters()):
    parameter.requires_grad = False
before = [p.tolist() for p in model.parameters()]
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-4)
for step in range(3):
    tokens, labels = torch.randint(30, (8, 5)), torch.randint(2, (8,))
    loss = nn.functional.cross_entropy(model(tokens), labels)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    print({"step": step, "loss": round(loss.item(), 4)})
assert [p.tolist() for p in model.parameters()] == before
