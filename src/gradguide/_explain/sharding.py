"""Finds the parameters of FSDP2, which replaces them while a module runs."""

import sys
from typing import Any

from torch import Tensor, nn


def sharded_modules(model: nn.Module) -> list[Any]:
    """Return the modules that FSDP2 shards; none where it was never imported."""
    fsdp: Any = sys.modules.get("torch.distributed.fsdp")
    if fsdp is None:
        return []
    return [module for module in model.modules() if isinstance(module, fsdp.FSDPModule)]


def is_unsharded(model: nn.Module) -> bool:
    """Whether FSDP2 has put unsharded parameters in place, as after a forward."""
    return bool(sharded_modules(model)) and not all(
        hasattr(parameter, "to_local") for parameter in model.parameters()
    )


class UnshardedParameters:
    """Finds the sharded parameter that an unsharded one replaces, by its name."""

    def __init__(self, model: nn.Module, parameters: list[nn.Parameter]) -> None:
        """Remember the names of ``parameters`` before the forward."""
        self._model = model
        self.is_needed = bool(sharded_modules(model))
        index = {id(parameter): i for i, parameter in enumerate(parameters)}
        self._indices = (
            {n: index[id(p)] for n, p in model.named_parameters() if id(p) in index}
            if self.is_needed
            else {}
        )
        self.index_by_id: dict[int, int] = {}

    def index_of(self, tensor: Tensor) -> int | None:
        """Return the index of the parameter that a tensor replaces, or None."""
        if self.is_needed:
            for name, parameter in self._model.named_parameters():
                if parameter is tensor and name in self._indices:
                    self.index_by_id[id(tensor)] = self._indices[name]
                    return self._indices[name]
        return None
