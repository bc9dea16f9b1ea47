"""Freeze PyTorch networks for real, and see what really stays still."""

from gradguide._changed import changed
from gradguide._freeze import freeze, unfreeze

__all__ = ["changed", "freeze", "unfreeze"]
