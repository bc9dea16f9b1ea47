"""Tells which parameters and buffers changed their values in a block."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from gradguide._select import require_module


@contextmanager
def changed(model: nn.Module) -> Iterator[list[str]]:
    """Collect the names of the parameters and buffers that change in a ``with`` block.

    The list is filled when the block ends, after an exception too. Values are
    compared, not version counters: batch norm statistics and fused optimizers
    change a tensor without counting it. NaN equals NaN here.

    It does not say who changed a value, nor see one that was changed and changed
    back. Tensors on the meta device have no values and change only in shape. A
    sharded parameter is compared by the shard that this process holds.

    Args:
        model: The module whose parameters and buffers are watched. They are copied
            once, where they are: the block needs as many bytes again.

    Yields:
        A list that is empty at first and then holds the parameters, then the buffers,
        that changed their values, shape or dtype, came or went, named as in
        ``named_parameters()`` and ``named_buffers()``.

    Raises:
        TypeError: If ``model`` is not a module.

    Examples:
        >>> import torch
        >>> from torch import nn
        >>> from gradguide import changed
        >>> model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
        >>> with changed(model) as names:
        ...     output = model(torch.ones(8, 3))
        >>> names
        ['1.running_mean', '1.running_var', '1.num_batches_tracked']
        >>> with changed(model.state_dict()) as names:
        ...     pass
        Traceback (most recent call last):
        ...
        TypeError: changed: expected a torch.nn.Module, got OrderedDict; pass the \
network or a part of it, such as model.backbone
    """
    require_module(model, "changed")
    with torch.no_grad():
        before = {name: _copy(tensor) for name, tensor in _named_tensors(model)}
    names: list[str] = []
    try:
        yield names
    finally:
        after = dict(_named_tensors(model))
        with torch.no_grad():
            names += [
                name
                for name in dict.fromkeys(chain(after, before))
                if name not in before
                or name not in after
                or not same_values(before[name], after[name])
            ]


def same_values(before: Tensor | None, after: Tensor) -> bool:
    """Whether a tensor still has the values of its copy; None is that of a lazy one."""
    if before is None or is_lazy(after):
        return before is None and is_lazy(after)
    after = _values(after)
    if (before.shape, before.dtype, before.layout) != (
        after.shape,
        after.dtype,
        after.layout,
    ):
        return False
    if before.is_meta or after.is_meta:
        return before.is_meta and after.is_meta
    after = after.to(before.device)
    if torch.equal(before, after):
        return True
    return bool(((before == after) | (before.isnan() & after.isnan())).all())


def _named_tensors(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from model.named_parameters()
    yield from model.named_buffers()


def _copy(tensor: Tensor) -> Tensor | None:
    return None if is_lazy(tensor) else _values(tensor).clone()


def _values(tensor: Tensor) -> Tensor:
    """Return the values that this process holds, dense and without history."""
    tensor = tensor.detach()
    if hasattr(tensor, "to_local"):  # a DTensor: comparing it whole would communicate
        tensor = tensor.to_local()
    if tensor.is_nested:
        return tensor.to_padded_tensor(0.0)
    return tensor if tensor.layout == torch.strided else tensor.to_dense()
