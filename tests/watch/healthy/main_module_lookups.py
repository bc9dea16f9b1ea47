"""Dataclasses and pickle look up classes of __main__, with annotations as strings."""

from __future__ import annotations

import hashlib
import pickle
import sys
from dataclasses import KW_ONLY, asdict, dataclass, field
from itertools import pairwise
from typing import ClassVar, get_type_hints

import torch
from torch import nn


@dataclass
class Config:
    sizes: list[int] = field(default_factory=lambda: [5, 10, 2])
    registry: ClassVar[dict[str, type]] = {}
    _: KW_ONLY
    lr: float = 1e-2
    steps: int = 6


@dataclass
class Checkpoint:
    config: Config
    network: Network
    losses: list[float] = field(default_factory=list)


class Network(nn.Module):
    def __init__(self, sizes: list[int]):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = torch.relu(layer(x))
        return self.layers[-1](x)


def main():
    assert sys.modules["__main__"].Config is Config
    assert Config.__module__ == "__main__"
    assert get_type_hints(Checkpoint)["network"] is Network
    config = Config()
    print(config, asdict(config))
    torch.manual_seed(124)
    checkpoint = pickle.loads(pickle.dumps(Checkpoint(config, Network(config.sizes))))
    model = checkpoint.network
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.lr)
    before = [p.detach().clone() for p in model.parameters()]
    for _ in range(config.steps):
        x = torch.randn(16, 5)
        loss = nn.functional.cross_entropy(model(x), (x[:, 0] > 0).long())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        checkpoint.losses.append(loss.item())
        print(repr(loss.item()))
    copy = pickle.loads(pickle.dumps(checkpoint))
    assert copy.losses == checkpoint.losses

    assert not any(map(torch.equal, before, model.parameters()))
    digest = hashlib.sha256(torch.get_rng_state().numpy())
    for p in copy.network.parameters():
        digest.update(p.detach().numpy().tobytes())
    print("digest", digest.hexdigest())


if __name__ == "__main__":
    main()
