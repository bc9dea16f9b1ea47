"""Tests what random programs have found, each as a small program of its own."""

import torch
from torch import nn

import gradguide


def test_no_grad_in_a_closure() -> None:
    """Operations under no_grad in a closure are not taken for those of the step."""
    encoder, head = nn.Linear(3, 3), nn.Linear(3, 1)
    optimizer = torch.optim.SGD([*encoder.parameters(), *head.parameters()], lr=0.1)

    def closure() -> float:
        with torch.no_grad():
            features = encoder(torch.ones(2, 3))
        loss = head(features).sum()
        loss.backward()
        return loss.item()

    with gradguide.watch() as report:
        optimizer.step(closure)
    verdicts = {row.name: (row.verdict, row.why) for row in report}
    assert verdicts["encoder.weight"] == ("cut", "no_grad")
    assert verdicts["head.weight"] == ("trains", "")
    assert not report.notes, "nothing was compiled"


def test_a_frozen_tensor_in_no_module() -> None:
    """A frozen tensor that the optimizer holds is no orphan."""
    pose, scale = torch.ones(3), torch.ones(3, requires_grad=True)
    optimizer = torch.optim.SGD([pose, scale], lr=0.1)
    with gradguide.watch() as report:
        (pose * scale).sum().backward()
        optimizer.step()
    verdicts = {row.name: row.verdict for row in report}
    assert verdicts == {"pose": "frozen", "scale": "trains"}


def test_a_change_that_the_start_does_not_show() -> None:
    """A step that moves only the end of a large tensor is seen."""
    table = nn.Embedding(5000, 8)
    optimizer = torch.optim.SGD(table.parameters(), lr=0.1)
    with gradguide.watch() as report:
        table(torch.tensor([4999])).sum().backward()
        optimizer.step()
    assert [(row.name, row.verdict) for row in report] == [("table.weight", "trains")]


def test_a_tensor_in_no_module_that_was_frozen_before() -> None:
    """Momentum or a stale gradient moves it; only a gradient made by hand trains it."""
    for momentum, own in ((0.9, False), (0.0, False), (0.0, True)):
        pose, scale = (torch.ones(3, requires_grad=True) for _ in range(2))
        optimizer = torch.optim.RMSprop([pose, scale], lr=0.1, momentum=momentum)
        (pose * scale).sum().backward()
        optimizer.step()
        if momentum:
            optimizer.zero_grad(set_to_none=False)
        pose.requires_grad_(False)
        with gradguide.watch() as report:
            (pose * scale).sum().backward()
            if own:
                pose.grad = scale.detach().clone()
            optimizer.step()
        verdicts = {row.name: row.verdict for row in report}
        assert verdicts == {"pose": "trains" if own else "moves", "scale": "trains"}
