"""Gives every test of the module the same PyTorch, and checks that it comes back."""

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True)
def torch_state() -> Iterator[None]:
    """Seed each test, and fail it if it leaves another grad mode behind."""
    torch.manual_seed(0)
    yield
    leaked = not torch.is_grad_enabled() or torch.is_inference_mode_enabled()
    torch.set_grad_enabled(True)
    assert not leaked, "the test left gradients switched off"
