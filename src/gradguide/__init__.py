"""Freeze PyTorch networks for real, and see what really stays still."""

from gradguide._changed import changed
from gradguide._describe import describe
from gradguide._explain.explain import explain
from gradguide._freeze import freeze, unfreeze
from gradguide._graph import graph
from gradguide._saved import saved

__all__ = [
    "changed",
    "describe",
    "explain",
    "freeze",
    "graph",
    "saved",
    "unfreeze",
]
