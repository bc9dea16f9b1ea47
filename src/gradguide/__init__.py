"""Freeze PyTorch networks for real, and see what really stays still."""

from gradguide._changed import changed
from gradguide._describe import describe
from gradguide._explain.explain import explain
from gradguide._freeze import freeze, unfreeze
from gradguide._frozen import Frozen
from gradguide._graph import Graph, graph
from gradguide._report.report import Report
from gradguide._report.row import Row
from gradguide._saved import Saved, saved
from gradguide._watch.watch import watch

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
    "watch",
]
