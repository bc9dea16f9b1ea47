"""Gradients of four batches are added, after a validation and in a warm-up from 0."""

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader, TensorDataset


def evaluate(model, loader):
    model.eval()
    with torch.no_grad():
        losses = [nn.functional.mse_loss(model(x), y).item() for x, y in loader]
    model.train()
    return sum(losses) / len(losses)


def main(accumulate=4, warm_up=2):
    torch.manual_seed(12)
    x = torch.randn(96, 5)
    dataset = TensorDataset(x, x[:, :2].prod(1, keepdim=True))
    loader = DataLoader(dataset, batch_size=6, shuffle=True)
    hidden = nn.Linear(5, 16, bias=False), nn.BatchNorm1d(16), nn.ReLU()
    model = nn.Sequential(*hidden, nn.Dropout(0.1), nn.Linear(16, 1))
    start = {n: p.detach().clone() for n, p in model.named_parameters()}
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    scheduler = LambdaLR(optimizer, lambda step: min(1.0, step / warm_up))
    print("before", evaluate(model, loader))
    for index, (features, target) in enumerate(loader):
        loss = nn.functional.mse_loss(model(features), target)
        (loss / accumulate).backward()
        if (index + 1) % accumulate == 0:
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            scheduler.step()
            optimizer.zero_grad()
    print("after", evaluate(model, loader))
    for name, parameter in model.named_parameters():
        assert not torch.equal(parameter, start[name]), name


if __name__ == "__main__":
    main()
