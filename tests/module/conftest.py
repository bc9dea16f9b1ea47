"""Seeds PyTorch for each test, and checks that the test restores the grad mode."""

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True)
def torch_state() -> Iterator[None]:
    """Seed a test, and fail it if the grad mode is not restored."""
    torch.manual_seed(0)
    yield
    leaked = not torch.is_grad_enabled() or torch.is_inference_mode_enabled()
    torch.set_grad_enabled(True)
    assert not leaked, "the test left gradients switched off"
