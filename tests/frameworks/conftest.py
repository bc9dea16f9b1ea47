"""Leaves these tests out where the frameworks are not installed."""

from importlib.util import find_spec

PACKAGES = ("accelerate", "diffusers", "lightning", "peft", "stable_baselines3")

# ``nox -s tests`` does not install them; ``nox -s frameworks`` does.
collect_ignore_glob = [] if all(map(find_spec, PACKAGES)) else ["test_*.py"]
