"""Leaves these tests out where transformers is not installed: they have a session."""

from importlib.util import find_spec

from tests.module.conftest import torch_state

__all__ = ["torch_state"]  # the fixture is for these tests, too

# ``nox -s tests`` does not install transformers; ``nox -s frameworks`` does.
collect_ignore_glob = [] if find_spec("transformers") else ["test_*.py"]
