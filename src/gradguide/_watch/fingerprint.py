"""Computes a checksum of the values of a tensor, to see later whether they changed."""

from __future__ import annotations

import ctypes
from zlib import crc32

import torch
from torch import Tensor
from torch.nn.parameter import is_lazy

from gradguide._autograd import has_memory

CHUNK = 1 << 22
"""The bytes that are copied at once from a device or from scattered memory."""

_INTEGERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def fingerprint(tensor: Tensor) -> tuple[int, ...]:
    """Return the shape, the address and a checksum of the bytes of a tensor.

    No more than ``CHUNK`` bytes are copied, unless the tensor is scattered in memory.
    """
    if is_lazy(tensor) or not has_memory(tensor):
        return ()
    return (*tensor.shape, *(_checksum(part) for part in _dense(tensor.detach())))


def _dense(tensor: Tensor) -> list[Tensor]:
    """Return the tensors without gaps that a tensor consists of."""
    if hasattr(tensor, "to_local"):  # a DTensor
        return _dense(tensor.to_local())
    if tensor.is_quantized:
        return [tensor.int_repr()]
    if tensor.is_nested:
        return [part for one in tensor.unbind() for part in _dense(one)]
    if tensor.layout == torch.sparse_coo:
        coalesced = tensor.coalesce()
        return [coalesced.indices(), coalesced.values()]
    if tensor.layout in {torch.sparse_csr, torch.sparse_bsr}:
        return [tensor.crow_indices(), tensor.col_indices(), tensor.values()]
    if tensor.layout in {torch.sparse_csc, torch.sparse_bsc}:
        return [tensor.ccol_indices(), tensor.row_indices(), tensor.values()]
    return [tensor]


def _checksum(tensor: Tensor) -> int:
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor.resolve_conj())
    flat = tensor.resolve_neg().reshape(-1).contiguous()
    result = 0
    for part in flat.view(_INTEGERS[flat.element_size()]).split(
        CHUNK // flat.element_size()
    ):
        data = part.cpu()
        size = data.numel() * data.element_size()
        if size:
            buffer = (ctypes.c_char * size).from_address(data.data_ptr())
            result = crc32(buffer, result)
    return result
