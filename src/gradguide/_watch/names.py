"""Finds the outermost modules, and the variables that modules and tensors are in."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from types import FrameType, FunctionType, ModuleType
from typing import Any
from weakref import ref

from torch import nn
from torch.optim import Optimizer

from gradguide._explain.paths import REGISTRIES, parts_of
from gradguide._origins.where import is_hidden, variables

LIMIT = 20_000
"""The number of objects that are looked through for names."""

DEPTH = 5

MOST = 1000
"""The number of parts of one object that are looked at."""


def outermost(
    modules: Iterable[nn.Module], everything: Iterable[nn.Module]
) -> list[nn.Module]:
    """Return the modules around some modules that are in no other one of all."""
    parents: dict[int, list[nn.Module]] = {}
    for module in everything:
        for child in module.children():
            parents.setdefault(id(child), []).append(module)
    tops: dict[int, nn.Module] = {}
    seen: set[int] = set()
    waiting = list(modules)
    for module in waiting:  # appended to while iterating
        if id(module) in seen:
            continue
        seen.add(id(module))
        around = parents.get(id(module), [])
        if around:
            waiting += around
        else:
            tops[id(module)] = module
    return list(tops.values())


class Names:
    """The variables and attributes that lead to objects, as they are found over time.

    A name that was found in a function stays known after the function has returned.
    """

    def __init__(self) -> None:
        self._names: dict[int, tuple[ref[Any], str]] = {}

    def get(self, value: object) -> str:
        """Return the path to an object, or an empty text."""
        found = self._names.get(id(value))
        return found[1] if found and found[0]() is value else ""

    def look_for(self, wanted: Iterable[object], frame: FrameType | None) -> None:
        """Look for objects in the variables of the script and of running functions."""
        missing = {id(value): value for value in wanted if not self.get(value)}
        if not missing:
            return
        found = [pair for scope in _scopes(frame) for pair in list(scope.items())]
        own = [value for name, value in found if name == "self"]
        for path, value in chain(_objects(found), _objects(_attributes(own))):
            if id(value) in missing:
                self._names[id(value)] = (ref(missing.pop(id(value))), path)
                if not missing:
                    return


def _scopes(frame: FrameType | None) -> Iterator[Mapping[str, object]]:
    """Yield the variables of the script, then of its functions, the outermost first."""
    main = sys.modules.get("__main__")
    if main is not None:
        yield vars(main)
    frames = []
    while frame:
        if not is_hidden(frame.f_code.co_filename):
            frames.append(frame)
        frame = frame.f_back
    for one in reversed(frames):
        if one.f_code.co_name != "<module>":
            yield variables(one)
    for one in frames:
        if one.f_globals.get("__name__") != "__main__":
            yield one.f_globals


def _attributes(owners: Iterable[object]) -> list[tuple[str, object]]:
    """Return the attributes of objects whose methods run, with their paths."""
    return [
        (f"self{step}", part)
        for owner in owners
        if not isinstance(owner, nn.Module)
        for step, part in _parts(owner)
    ]


def _objects(found: Iterable[tuple[str, object]]) -> Iterator[tuple[str, object]]:
    """Yield objects and their parts with their paths, the shortest paths first."""
    level = [
        (name, value)
        for name, value in found
        if not name.startswith("__") and name != "self"
    ]
    seen: set[int] = set()
    for _ in range(DEPTH):
        deeper = []
        for path, value in level:
            yield path, value
            if id(value) in seen or len(seen) > LIMIT:
                continue
            seen.add(id(value))
            deeper += [(f"{path}{step}", part) for step, part in _parts(value)]
        level = deeper


def _parts(value: object) -> list[tuple[str, object]]:
    """Return the parts of an object, each with the step of the path to it."""
    if isinstance(value, (type, ModuleType, FunctionType, Optimizer, str, bytes)):
        return []
    try:
        if isinstance(value, nn.Module):
            found = dict(vars(value))
            for kind in REGISTRIES:
                found |= found.pop(kind).items()
            return [(f".{name}", part) for name, part in found.items()]
        return list(islice(parts_of(value), MOST))
    except Exception:  # noqa: BLE001 objects of the user may raise anything
        return []


def and_more(name: str, count: int) -> str:
    """Return the name of the first of some tensors, and how many more there are."""
    return f"{name} and {count - 1} more" if count > 1 else name
