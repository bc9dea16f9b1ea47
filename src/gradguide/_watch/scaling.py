"""Notices gradients that are clipped while they are multiplied by a loss scale."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import torch
from torch import Tensor
from torch.nn.utils import clip_grad

from gradguide._autograd import tensors_in
from gradguide._origins.where import Place, line_here

if TYPE_CHECKING:
    from collections.abc import Callable

_UNSCALES = torch._amp_foreach_non_finite_check_and_unscale_
SCALES = {_UNSCALES, torch._foreach_mul_, Tensor.mul_}
"""The operations that are to be noted."""


class Scaling:
    """The gradients that were clipped before a ``GradScaler`` unscaled them."""

    def __init__(self) -> None:
        self.clipped: dict[Place | None, None] = {}
        """The lines that clipped them, as keys."""
        self._latest: WeakValueDictionary[int, Tensor] = WeakValueDictionary()
        self._where: Place | None = None

    def note(self, func: Callable[..., Any], args: tuple[Any, ...]) -> None:
        """Note one of ``SCALES``, which may clip or unscale gradients."""
        if func is _UNSCALES:
            if any(self._latest.get(id(one)) is one for one in tensors_in(args[:1])):
                self.clipped[self._where] = None
            self._latest.clear()
        elif _clips():
            self._latest.update((id(one), one) for one in tensors_in(args[:1]))
            self._where = line_here()


def _clips() -> bool:
    """Whether PyTorch clips a gradient just now, seen from the caller of the mode."""
    return sys._getframe(3).f_code.co_filename == clip_grad.__file__  # noqa: SLF001
