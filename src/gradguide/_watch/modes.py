"""Remembers in which mode the outermost modules ran while they trained."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import ref

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from gradguide._origins.where import Place, here

if TYPE_CHECKING:
    from collections.abc import Iterator


class Modes:
    """The modes of the outermost modules that ran with gradients."""

    def __init__(self) -> None:
        self._seen: dict[int, tuple[ref[nn.Module], Place | None, bool]] = {}

    def note(self, module: nn.Module) -> None:
        """Note the mode of a module that is called."""
        if torch.is_grad_enabled():
            seen, place, trained = self._seen.get(id(module), (None, None, False))
            if seen is None or seen() is not module:
                place, trained = here(), False
            self._seen[id(module)] = (ref(module), place, trained or module.training)

    def in_eval(self) -> Iterator[tuple[nn.Module, Place | None, list[str]]]:
        """Yield each module that only ran in eval mode, where, and what that changes.

        What it changes are layers, given by their classes. A module without such layers
        computes the same in both modes, and is left out.
        """
        for seen, place, trained in self._seen.values():
            module = seen()
            if module is not None and not trained:
                kinds = {
                    type(layer).__name__
                    for layer in module.modules()
                    if not layer.training and _depends_on_mode(layer)
                }
                if kinds:
                    yield module, place, sorted(kinds)


def _depends_on_mode(layer: nn.Module) -> bool:
    if isinstance(layer, _BatchNorm):
        return layer.running_mean is not None
    rate = layer.p if isinstance(layer, _DropoutNd) else getattr(layer, "dropout", 0)
    return isinstance(rate, float) and rate > 0
