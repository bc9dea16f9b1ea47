"""A script goes to a folder of its own, writes relative paths there and resumes."""

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

import torch
from torch import nn

torch.manual_seed(123)
folder = tempfile.mkdtemp()
start = Path.cwd()
os.chdir(folder)
Path("runs").mkdir()


def build():
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
    return model, torch.optim.Adam(model.parameters(), lr=1e-2)


def save(model, optimizer, epoch):
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
    torch.save({**state, "epoch": epoch}, Path("runs") / "last.pt")


def train(model, optimizer, epochs):
    for epoch in epochs:
        x = torch.randn(16, 4)
        loss = (model(x).squeeze(1) - x.sum(1)).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        save(model, optimizer, epoch)
        with Path("runs/log.txt").open("a") as log:
            log.write(f"{epoch} {loss.item()!r}\n")


try:
    model, optimizer = build()
    before = [p.detach().clone() for p in model.parameters()]
    train(model, optimizer, range(4))

    model, optimizer = build()
    checkpoint = torch.load("runs/last.pt", weights_only=True)
    model.load_state_dict(checkpoint["model"])
    optimizer.load_state_dict(checkpoint["optimizer"])
    resumed = [p.detach().clone() for p in model.parameters()]
    train(model, optimizer, range(checkpoint["epoch"] + 1, 8))
    print(Path("runs/log.txt").read_text(), end="")
finally:
    os.chdir(start)
    shutil.rmtree(folder)

assert not any(map(torch.equal, before, resumed))
assert not any(map(torch.equal, resumed, model.parameters()))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in model.parameters():
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
