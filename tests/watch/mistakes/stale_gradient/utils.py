"""Looks for a learning rate, as before each of our trainings."""

import torch


def find_lr(model, loss_of, low=1e-4, high=1.0, steps=5):
    best, at = float("inf"), low
    for lr in torch.logspace(
        torch.tensor(low).log10(), torch.tensor(high).log10(), steps
    ):
        model.zero_grad()
        loss = loss_of(model)
        loss.backward()
        norm = sum(p.grad.square().sum() for p in model.parameters())
        predicted = loss.item() - lr.item() * norm.item()
        if predicted < best:
            best, at = predicted, lr.item()
    return min(at, 0.1)
