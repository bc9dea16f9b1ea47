"""Gives every test of the module the same PyTorch, and checks that it comes back."""

import os
from collections.abc import Iterator

import pytest
import torch
from hypothesis import settings

# The first example compiles and imports; a time limit would fail by chance.
settings.register_profile("tests", deadline=None, max_examples=200)
settings.register_profile("nightly", deadline=None, max_examples=5000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "tests"))


@pytest.fixture(autouse=True)
def torch_state() -> Iterator[None]:
    """Seed each test, and fail it if it leaves another grad mode behind."""
    torch.manual_seed(0)
    yield
    leaked = not torch.is_grad_enabled() or torch.is_inference_mode_enabled()
    torch.set_grad_enabled(True)
    assert not leaked, "the test left gradients switched off"
