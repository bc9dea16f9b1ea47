"""Finds attributes that were meant to freeze a parameter, and freeze nothing."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor

NAME = "requires_grad"
ALIKE = 0.85
"""How similar a name is that was meant to be ``requires_grad``."""


def misspelt_in(tensor: Tensor) -> str:
    """Return what is wrong with an attribute of a parameter that trains; or ""."""
    names = _meant(tensor)
    return f"frozen by {names[0]} = False? The name is requires_grad" if names else ""


def misspelt_around(modules: Iterable[nn.Module]) -> dict[int, str]:
    """Return the ids of parameters in modules with such an attribute, and the reason.

    An attribute that the class of a module sets itself is its own, and means something
    else.
    """
    found: dict[int, str] = {}
    for module in modules:
        for name in _meant(module):
            if _is_of_class(module, name):
                continue
            kind = type(module).__name__
            why = f"frozen by {name} = False? On a {kind}, call requires_grad_(False)"
            found |= {id(parameter): why for parameter in module.parameters()}
    return found


def _meant(thing: nn.Module | Tensor) -> list[str]:
    """Return the attributes that are False, and named like ``requires_grad``."""
    false = [name for name, value in vars(thing).items() if value is False]
    return get_close_matches(NAME, false, cutoff=ALIKE)


def _is_of_class(module: nn.Module, name: str) -> bool:
    return any(
        name in function.__code__.co_names
        for kind in type(module).__mro__
        if kind is not nn.Module
        and (function := vars(kind).get("__init__")) is not None
        and hasattr(function, "__code__")
    )
