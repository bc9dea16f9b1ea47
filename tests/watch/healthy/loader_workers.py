"""Two forked worker processes augment the images that a network is trained on."""

import hashlib
import random

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Shapes(Dataset):
    def __init__(self, size):
        self.images = torch.randn(size, 1, 6, 6)
        self.labels = torch.arange(size) % 4
        self.kernel = nn.Conv2d(1, 1, 3, padding=1)
        self.kernel.requires_grad_(False)

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        image = self.images[index]
        if random.random() < 0.5:
            image = image.flip(-1)
        image = self.kernel(image)  # a module is called in the worker process
        noise = torch.from_numpy(np.random.randn(1, 6, 6)).float()
        return image + 0.01 * noise, self.labels[index]


def seed_worker(worker_id):
    seed = torch.initial_seed() % 2**32
    np.random.seed(seed)
    random.seed(seed)


def main():
    random.seed(2)
    np.random.seed(2)
    torch.manual_seed(2)
    loader = DataLoader(
        Shapes(16),
        batch_size=4,
        shuffle=True,
        num_workers=2,
        worker_init_fn=seed_worker,
        multiprocessing_context="fork",
    )
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 16), nn.GELU(), nn.Linear(16, 4))
    before = [p.detach().clone() for p in model.parameters()]
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(2):
        for images, labels in loader:
            loss = nn.functional.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            print(f"loss {loss.item()!r}")

    assert not any(map(torch.equal, before, model.parameters()))
    digest = hashlib.sha256(torch.get_rng_state().numpy())
    digest.update(repr((random.getstate(), np.random.get_state())).encode())
    for value in model.state_dict().values():
        digest.update(value.numpy().tobytes())
    print("digest", digest.hexdigest())


if __name__ == "__main__":
    main()
