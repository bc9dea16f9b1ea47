"""A model compiled in place (backend "aot_eager") trains beside an eager loss."""

import hashlib

import torch
from torch import nn


def main():
    torch.manual_seed(67)
    model = nn.Sequential(
        nn.Linear(6, 16), nn.LayerNorm(16), nn.GELU(), nn.Linear(16, 1)
    )
    model.compile(backend="aot_eager")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    x = torch.randn(32, 6)
    y = x.abs().sum(1, keepdim=True)
    for step in range(6):
        loss = nn.functional.huber_loss(model(x), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        print(step, repr(loss.item()))

    digest = hashlib.sha256(torch.get_rng_state().numpy())
    for name, p in model.named_parameters():
        assert not torch.equal(p, before[name]), name
        digest.update(p.detach().numpy().tobytes())
    print("digest", digest.hexdigest())


if __name__ == "__main__":
    main()
