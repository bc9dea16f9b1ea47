"""Finds the parameters of FSDP2, which replaces them while a module runs."""

from __future__ import annotations

import sys
from weakref import ref

from torch import Tensor, nn


class Shards:
    """The sharded parameters of modules, by their places."""

    def __init__(self) -> None:
        """Know no module."""
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
