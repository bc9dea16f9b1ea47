"""The program starts one process with spawn that trains, and prints what it sends."""

import hashlib

import torch
import torch.multiprocessing as mp
from torch import nn


class Worker:
    def __init__(self, seed):
        torch.manual_seed(seed)
        self.model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-2)

    def run(self, queue):
        before = [p.detach().clone() for p in self.model.parameters()]
        for step in range(5):
            x = torch.randn(16, 3)
            loss = (self.model(x).squeeze(1) - x.prod(1)).pow(2).mean()
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            queue.put(f"{step} {loss.item()!r}")
        assert not any(map(torch.equal, before, self.model.parameters()))
        digest = hashlib.sha256(torch.get_rng_state().numpy())
        for value in self.model.state_dict().values():
            digest.update(value.numpy().tobytes())
        queue.put(f"digest {digest.hexdigest()}")
        queue.put(None)


def entry(seed, queue):
    Worker(seed).run(queue)


if __name__ == "__main__":
    context = mp.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=entry, args=(63, queue))
    process.start()
    for line in iter(queue.get, None):
        print(line)
    process.join()
    assert process.exitcode == 0
