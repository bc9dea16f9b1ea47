"""Workers started with spawn unpickle a data set whose class is in __main__."""

import hashlib

import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset, get_worker_info


class Stream(IterableDataset):
    def __init__(self, batches):
        self.batches = batches

    def __iter__(self):
        info = get_worker_info()
        generator = torch.Generator().manual_seed(info.id if info else 0)
        for _ in range(self.batches):
            x = torch.randn(8, 4, generator=generator)
            yield x, x.sum(1, keepdim=True)


def identity(batch):
    return batch


def main():
    torch.manual_seed(125)
    loader = DataLoader(
        Stream(6),
        batch_size=None,
        num_workers=1,
        collate_fn=identity,
        multiprocessing_context="spawn",
    )
    model = nn.Sequential(nn.Linear(4, 8), nn.ELU(), nn.Linear(8, 1))
    optimizer = torch.optim.Rprop(model.parameters(), lr=1e-2)
    before = [p.detach().clone() for p in model.parameters()]
    for x, y in loader:
        loss = nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(repr(loss.item()))

    assert not any(map(torch.equal, before, model.parameters()))
    digest = hashlib.sha256(torch.get_rng_state().numpy())
    for p in model.parameters():
        digest.update(p.detach().numpy().tobytes())
    print("digest", digest.hexdigest())


if __name__ == "__main__":
    main()
