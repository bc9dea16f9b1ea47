"""Knows the outermost modules of a run, and the names of modules and tensors."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING
from weakref import ref

from torch import Tensor, nn

from gradguide._alive import alive
from gradguide._explain.optimizer import held_by
from gradguide._watch.ledger import Ledger
from gradguide._watch.modes import Modes
from gradguide._watch.names import Names, outermost

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import FrameType

    from torch.optim import Optimizer


class Roots:
    """The outermost modules among those that were called or whose tensors are held.

    Attributes:
        names: The variables that modules and tensors are in.
        modes: In which mode the modules were called.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.names = Names()
        self.modes = Modes()
        self._ledger = ledger
        self._called: dict[int, ref[nn.Module]] = {}
        self._kept: dict[str, object] = {}
        self._outermost: list[ref[nn.Module]] = []
        self._are_named = False

    def note_call(self, module: nn.Module) -> None:
        """Note a module that is called from no other module."""
        self._called.setdefault(id(module), ref(module))
        self.modes.note(module)

    def expect(self, objects: Iterable[nn.Module | Optimizer | Tensor]) -> None:
        """Report some objects also if they do not take part."""
        for one in objects:
            if isinstance(one, nn.Module):
                self._called.setdefault(id(one), ref(one))
            elif isinstance(one, Tensor):
                self._ledger.of(one)
            else:
                for held in held_by(one):
                    self._ledger.of(held.tensor).holder = id(one)

    def alive(self, modules: list[nn.Module] | None = None) -> list[nn.Module]:
        """Return the outermost modules that were called or whose tensors are held.

        ``modules`` are all that are alive, if they are known.
        """
        if modules is None:
            modules = alive().modules
        found = [module() for module in self._called.values()]
        called = [module for module in found if module is not None]
        inside = {id(p) for module in called for p in module.parameters()}
        owners = [
            module
            for module in modules
            for p in module._parameters.values()  # noqa: SLF001
            if p is not None
            and id(p) not in inside
            and (record := self._ledger.get(p))
            and record.holder
        ]
        return outermost([*called, *owners], modules)

    def knows(self, optimizer: Optimizer) -> bool:
        """Whether each tensor that an optimizer holds is known, and each root named."""
        return self._are_named and all(
            self._ledger.get(held.tensor) for held in held_by(optimizer)
        )

    def look_for_names(
        self,
        frame: FrameType | None = None,
        modules: list[nn.Module] | None = None,
    ) -> None:
        """Look for the variables that modules and tensors are in.

        ``frame`` is the innermost one to look into, or else the running one;
        ``modules`` are all that are alive, if they are known.
        """
        frame = frame or sys._getframe(1)  # noqa: SLF001
        roots = self.alive(modules)
        self._outermost = list(map(ref, roots))
        parameters = [p for root in roots for p in root.parameters()]
        for parameter in parameters:
            self._ledger.of(parameter)
        inside = set(map(id, parameters))
        bare = [tensor for tensor, _ in self._ledger if id(tensor) not in inside]
        wanted = [*roots, *bare]
        self.names.look_for(wanted, frame)
        self._are_named = all(map(self.names.get, wanted))
        # Until the report, what has a name is kept, as a function that returns would
        # free it. Of the copies that a loop makes, this is the last one.
        for one in wanted:
            if name := self.names.get(one):
                self._kept[name] = one

    def name_of(self, tensor: Tensor) -> str:
        """Return the name of a tensor, by its module or its variable."""
        known = [root for one in self._outermost if (root := one()) is not None]
        return (
            self.names.get(tensor)
            or self._name_in(known, tensor)
            or self._name_in(self.alive(), tensor)  # this takes time
            or f"a tensor of shape {tuple(tensor.shape)}"
        )

    def _name_in(self, roots: list[nn.Module], tensor: Tensor) -> str:
        for root in roots:
            for path, parameter in root.named_parameters():
                if parameter is tensor:
                    return f"{self.names.get(root) or type(root).__name__}.{path}"
        return ""

    def release(self) -> None:
        """Keep nothing alive any more, after the report."""
        self._kept = {}
