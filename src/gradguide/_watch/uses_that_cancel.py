"""Finds gradients that are zero because those of several uses cancel out."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import torch

from gradguide._autograd import leaf, walk
from gradguide._memory import is_zero
from gradguide._watch.internals import unseen

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from torch import Tensor

    from gradguide._watch.ledger import Record


def look_for_parts(losses: Iterable[Tensor], zero: Mapping[int, Record]) -> None:
    """Note in the next backward whether a gradient of zero is a sum of others.

    ``zero`` are the records of leaves, by the ids of the leaves.
    """
    for node, parents in walk(losses).items():
        for index, (parent, _) in enumerate(parents):
            tensor = leaf(parent) if parent is not None else None
            if id(tensor) in zero:
                node.register_hook(partial(_note_part, zero[id(tensor)], index))


def _note_part(
    record: Record, index: int, grads: tuple[Tensor | None, ...], _: object
) -> None:
    grad = grads[index]
    # An error in a hook would end the backward of the script.
    with suppress(Exception), unseen(), torch.no_grad():
        record.has_parts = record.has_parts or (grad is not None and not is_zero(grad))
