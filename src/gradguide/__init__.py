"""Freeze PyTorch networks for real, and see what really stays still."""

from gradguide._changed import changed
from gradguide._describe import describe
from gradguide._explain import explain
from gradguide._freeze import freeze, unfreeze
from gradguide._frozen import Frozen
from gradguide._graph import Graph, graph
from gradguide._report import Report
from gradguide._row import Row
from gradguide._saved import Saved, saved

__all__ = [
    "Frozen",
    "Graph",
    "Report",
    "Row",
    "Saved",
    "changed",
    "describe",
    "explain",
    "freeze",
    "graph",
    "saved",
    "unfreeze",
]
