"""Filters with a backward of their own."""

from .haar import Haar

__all__ = ["Haar"]
