"""The network comes from a package beside the script, the data from a file there."""

import csv
import hashlib
from pathlib import Path

import torch
from parts.networks import Classifier
from torch import nn

HERE = Path(__file__).parent


def load():
    with (HERE / "parts" / "data.csv").open(newline="") as file:
        rows = [[float(cell) for cell in row] for row in csv.reader(file)]
    table = torch.tensor(rows)
    return table[:, :-1], table[:, -1].long()


if __name__ == "__main__":
    torch.manual_seed(122)
    x, y = load()
    model = Classifier(inputs=4, hidden=10)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    before = [p.detach().clone() for p in model.parameters()]
    for epoch in range(6):
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(epoch, repr(loss.item()), model.predict(x).tolist())

    assert not any(map(torch.equal, before, model.parameters()))
    digest = hashlib.sha256(torch.get_rng_state().numpy())
    for p in model.parameters():
        digest.update(p.detach().numpy().tobytes())
    print("digest", digest.hexdigest())
