"""Knows the parameters of FSDP2, which others stand in for while a module runs."""

import sys
from typing import Any

from torch import Tensor, nn


def sharded_modules(model: nn.Module) -> list[Any]:
    """Return the modules that FSDP2 shards; none where it was never imported."""
    fsdp: Any = sys.modules.get("torch.distributed.fsdp")
    if fsdp is None:
        return []
    return [module for module in model.modules() if isinstance(module, fsdp.FSDPModule)]


def is_displaced(model: nn.Module) -> bool:
    """Whether others stand in for parameters now, as after a forward of FSDP2."""
    return bool(sharded_modules(model)) and not all(
        hasattr(parameter, "to_local") for parameter in model.parameters()
    )


class StandIns:
    """Finds for which parameter a tensor stands in, by the name that it has now."""

    def __init__(self, model: nn.Module, parameters: list[nn.Parameter]) -> None:
        """Remember the names of ``parameters`` while they are in their own place."""
        self._model = model
        self.is_needed = bool(sharded_modules(model))
        place = {id(parameter): index for index, parameter in enumerate(parameters)}
        self._places = (
            {n: place[id(p)] for n, p in model.named_parameters() if id(p) in place}
            if self.is_needed
            else {}
        )
        self.found: dict[int, int] = {}

    def place_of(self, tensor: Tensor) -> int | None:
        """Return the place of the parameter that a tensor stands in for."""
        if self.is_needed:
            for name, parameter in self._model.named_parameters():
                if parameter is tensor and name in self._places:
                    self.found[id(tensor)] = self._places[name]
                    return self._places[name]
        return None
