"""Finds the parameters of FSDP2, which replaces them while a module runs."""

import sys
from typing import Any
from weakref import ref

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


class Shards:
    """The sharded parameters of modules, by their places."""

    def __init__(self) -> None:
        self._places: dict[
            tuple[int, str], tuple[ref[nn.Module], ref[nn.Parameter]]
        ] = {}

    def note(self, root: nn.Module) -> None:
        """Note the parameters of a module before its forward."""
        if "torch.distributed.fsdp" not in sys.modules:
            return
        for module in root.modules():
            for name, parameter in module.named_parameters(recurse=False):
                if hasattr(parameter, "to_local"):
                    self._places[id(module), name] = ref(module), ref(parameter)

    def behind(self, tensor: Tensor) -> Tensor:
        """Return the sharded parameter that a tensor replaces, or the tensor itself."""
        for (_, name), (module, parameter) in self._places.items():
            owner = module()
            if owner is not None and getattr(owner, name, None) is tensor:
                sharded = parameter()
                return tensor if sharded is None else sharded
        return tensor
