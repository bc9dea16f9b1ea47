"""Matrices have one optimizer and all other parameters another, and all train."""

import torch
from torch import nn


class Network(nn.Module):
    def __init__(self, vocabulary=24, width=8):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.hidden = nn.ModuleList(nn.Linear(width, width) for _ in range(3))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, tokens):
        x = self.embedding(tokens)
        for layer in self.hidden:
            x = x + nn.functional.gelu(layer(x))
        return self.head(self.norm(x))


def optimizers(network):
    matrices = [p for p in network.hidden.parameters() if p.ndim == 2]
    ids = {id(p) for p in matrices}
    rest = [p for p in network.parameters() if id(p) not in ids]
    return torch.optim.Muon(matrices, lr=0.02), torch.optim.AdamW(rest, lr=3e-3)


if __name__ == "__main__":
    torch.manual_seed(64)
    network = Network()
    start = [p.detach().clone() for p in network.parameters()]
    both = optimizers(network)
    for step in range(3):
        tokens = torch.randint(24, (6, 7))
        logits = network(tokens[:, :-1]).transpose(1, 2)
        nn.functional.cross_entropy(logits, tokens[:, 1:]).backward()
        for optimizer in both:
            optimizer.step()
            optimizer.zero_grad()
        print("step", step)
    for before, parameter in zip(start, network.parameters(), strict=True):
        assert not torch.equal(before, parameter)
