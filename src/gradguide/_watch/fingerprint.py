"""Computes a checksum of the values of a tensor, to see later whether they changed."""

from __future__ import annotations

import ctypes
from typing import Any
from zlib import crc32

import torch
from torch import Tensor
from torch.nn.parameter import is_lazy

from gradguide._changed import values_of
from gradguide._memory import has_memory

CHUNK = 1 << 22
"""The bytes that are copied at once from a device or from scattered memory."""

START = 1 << 12
"""The bytes at the start of a tensor that have a checksum of their own."""

Fingerprint = tuple[Any, ...]
"""The kind of a tensor; for each of its parts, the checksums of its start and all."""

_INTEGERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def fingerprint(tensor: Tensor) -> Fingerprint:
    """Return the kind of a tensor and checksums of its bytes; () if it has no memory.

    No more than ``CHUNK`` bytes are copied, unless the tensor is scattered in memory.
    """
    if is_lazy(tensor) or not has_memory(tensor):
        return ()
    values = values_of(tensor)
    parts = map(_integers, values.plain)
    return (values.kind, *((_start(part), _checksum(part)) for part in parts))


def has_changed(tensor: Tensor, before: Fingerprint) -> bool:
    """Whether the kind or the values of a tensor differ from those before.

    If the start differs, the rest is not read: a step changes most tensors everywhere.
    """
    if is_lazy(tensor) or not has_memory(tensor):
        return before != ()
    values = values_of(tensor)
    if before[:1] != (values.kind,):
        return True
    parts = list(map(_integers, values.plain))
    if [_start(part) for part in parts] != [start for start, _ in before[1:]]:
        return True
    return [_checksum(part) for part in parts] != [whole for _, whole in before[1:]]


def _integers(tensor: Tensor) -> Tensor:
    """Return the bytes of a tensor in one dimension, as integers of its size."""
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor.resolve_conj())
    flat = tensor.resolve_neg().reshape(-1).contiguous()
    return flat.view(_INTEGERS[flat.element_size()])


def _start(flat: Tensor) -> int:
    return _checksum(flat[: START // flat.element_size()])


def _checksum(flat: Tensor) -> int:
    result = 0
    for part in torch.split(flat, CHUNK // flat.element_size()):
        data = part.cpu()
        size = data.numel() * data.element_size()
        if size:
            buffer = (ctypes.c_char * size).from_address(data.data_ptr())
            result = crc32(buffer, result)
    return result
