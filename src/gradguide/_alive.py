"""Finds the modules and optimizers of the process."""

import gc
from itertools import compress
from typing import NamedTuple

from torch import nn
from torch.optim import Optimizer


class Alive(NamedTuple):
    """The modules and optimizers of the process."""

    modules: list[nn.Module]
    optimizers: list[Optimizer]


def alive() -> Alive:
    """Return all modules and optimizers that are alive.

    A process has many objects, so they are compared by the ids of their classes, in C.
    """
    kinds: list[type] = [nn.Module, Optimizer]
    for one in kinds:  # appended to while iterating
        kinds += type.__subclasses__(one)
    ids = set(map(id, kinds))
    everything = gc.get_objects()
    fits = map(ids.__contains__, map(id, map(type, everything)))
    found = list(compress(everything, fits))
    modules = [one for one in found if issubclass(type(one), nn.Module)]
    others = [one for one in found if issubclass(type(one), Optimizer)]
    return Alive(modules, [one for one in others if hasattr(one, "param_groups")])
