"""A program with main(), argparse and a configuration trains and returns a status.

Arguments: --lr 0.02 --hidden 12 --no-bias tiny
"""

import argparse
import hashlib
import sys

import torch
from torch import nn


def parse_args(argv=None):
    parser = argparse.ArgumentParser(description="Train a tiny classifier.")
    parser.add_argument("dataset", nargs="?", default="tiny", choices=["tiny", "small"])
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--hidden", type=int, default=8)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--bias", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--seed", type=int, default=120)
    return parser.parse_args(argv)


def get_batch(name):
    x = torch.randn(16 if name == "tiny" else 64, 4)
    return x, (x[:, 0] * x[:, 1] > 0).long()


def train(args, model):
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr)
    for step in range(args.steps):
        x, y = get_batch(args.dataset)
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(f"[{step + 1}/{args.steps}] {loss.item()!r}")


def main():
    args = parse_args()
    print(args)
    torch.manual_seed(args.seed)
    model = nn.Sequential(
        nn.Linear(4, args.hidden, bias=args.bias), nn.ReLU(), nn.Linear(args.hidden, 2)
    )
    before = [p.detach().clone() for p in model.parameters()]
    train(args, model)
    assert not any(map(torch.equal, before, model.parameters()))
    digest = hashlib.sha256(torch.get_rng_state().numpy())
    for p in model.parameters():
        digest.update(p.detach().numpy().tobytes())
    print("digest", digest.hexdigest())
    return 0


if __name__ == "__main__":
    sys.exit(main())
