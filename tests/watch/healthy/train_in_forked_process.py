"""A forked process trains a model in shared memory (Hogwild) after the parent did."""

import hashlib

import torch
import torch.multiprocessing as mp
from torch import nn


def train(model, steps, seed):
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for step in range(steps):
        x = torch.randn(16, 3)
        loss = (model(x).squeeze(1) - x.sum(1)).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(seed, step, repr(loss.item()), flush=True)


if __name__ == "__main__":
    torch.manual_seed(64)
    model = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 1))
    model.share_memory()
    before = [p.detach().clone() for p in model.parameters()]
    train(model, 5, seed=1)
    context = mp.get_context("fork")
    for rank in (2, 3):
        process = context.Process(target=train, args=(model, 4, rank))
        process.start()
        process.join()
        assert process.exitcode == 0

    assert not any(map(torch.equal, before, model.parameters()))
    digest = hashlib.sha256(torch.get_rng_state().numpy())
    for value in model.state_dict().values():
        digest.update(value.numpy().tobytes())
    print("digest", digest.hexdigest())
