"""Tells which parameters and buffers changed their values in a block."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from gradguide._memory import strided_parts
from gradguide._select import require_module


@contextmanager
def changed(model: nn.Module) -> Iterator[list[str]]:
    """Collect the names of the parameters and buffers that change in a ``with`` block.

    The list is filled when the block ends, even after an exception. Values are
    compared, not version counters: the version counter of a tensor does not count the
    writes of batch norm and of fused optimizers. Two NaN are equal here.

    It does not tell which code changed a value, and does not notice a value that was
    changed and changed back. Tensors on the meta device have no values, so only their
    shape, dtype and layout are compared. Of a sharded parameter, the shard of this
    process is compared; of a sparse tensor, the entries that it stores.

    Args:
        model: The module whose parameters and buffers are compared. They are copied
            once, on their own device, so the block needs as much memory again.

    Yields:
        A list that is empty at first. At the end it has the names of the parameters,
        then of the buffers, that were added or removed, or whose values, shape, dtype
        or layout changed, as in ``named_parameters()`` and ``named_buffers()``.

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
        before = {
            name: _copy(values_of(tensor)) for name, tensor in _named_tensors(model)
        }
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
                or not _same(before[name], values_of(after[name]))
            ]


def same_values(before: Tensor | None, after: Tensor) -> bool:
    """Whether a tensor still has the values of its copy; None is that of a lazy one."""
    return _same(_LAZY if before is None else values_of(before), values_of(after))


class Values(NamedTuple):
    """What kind of tensor it is, and plain tensors that its values are made of."""

    kind: tuple[object, ...]
    plain: list[Tensor]


_LAZY = Values(("lazy",), [])


def _named_tensors(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from model.named_parameters()
    yield from model.named_buffers()


def values_of(tensor: Tensor) -> Values:
    """Return the values that this process holds, without history and not copied."""
    if is_lazy(tensor):
        return _LAZY
    tensor = tensor.detach()
    if hasattr(tensor, "to_local"):  # a DTensor: comparing it whole would communicate
        return values_of(tensor.to_local())
    kind: tuple[object, ...] = (tensor.dtype, tensor.layout)
    if not tensor.is_nested:  # its shape is no tuple of numbers
        kind += (tensor.shape,)
    parts = _parts(tensor)
    if parts is None:
        return Values(kind, [tensor])
    values = list(map(values_of, parts))
    kind += tuple(part.kind for part in values)
    return Values(kind, [plain for part in values for plain in part.plain])


def _parts(tensor: Tensor) -> Iterable[Tensor] | None:
    """Return the tensors that one is made of, or None for a plain one."""
    if tensor.is_nested:
        return _nested_parts(tensor)
    if tensor.is_quantized:
        return [tensor.int_repr(), *_scales(tensor)]
    if hasattr(tensor, "__tensor_flatten__"):  # a subclass that wraps others
        return [getattr(tensor, name) for name in tensor.__tensor_flatten__()[0]]
    if tensor.is_mkldnn:
        return [tensor.to_dense()]
    if tensor.layout == torch.sparse_coo:
        with suppress(NotImplementedError):  # for some dtypes
            tensor = tensor.coalesce()
    return None if tensor.layout == torch.strided else strided_parts(tensor)


def _nested_parts(tensor: Tensor) -> Iterable[Tensor]:
    if tensor.layout == torch.strided:
        return tensor.unbind()
    # It also holds what it computes when it is read, such as the largest length.
    parts = (getattr(tensor, name) for name in ("_values", "_offsets", "_lengths"))
    return [part for part in parts if part is not None]


def _scales(tensor: Tensor) -> list[Tensor]:
    """Return what the integers of a quantized tensor mean."""
    if tensor.qscheme() in {torch.per_tensor_affine, torch.per_tensor_symmetric}:
        numbers = [tensor.q_scale(), tensor.q_zero_point()]
        return [torch.tensor(numbers, dtype=torch.float64)]
    axis = torch.tensor(tensor.q_per_channel_axis())
    return [tensor.q_per_channel_scales(), tensor.q_per_channel_zero_points(), axis]


def _copy(values: Values) -> Values:
    return Values(values.kind, list(map(_clone, values.plain)))


def _clone(tensor: Tensor) -> Tensor:
    try:
        return tensor.clone()
    except NotImplementedError:  # integers of less than 8 bits, one in each byte
        return _bytes(tensor).clone().view(tensor.dtype)


def _same(before: Values, after: Values) -> bool:
    return before.kind == after.kind and all(
        map(_same_plain, before.plain, after.plain)
    )


def _same_plain(before: Tensor, after: Tensor) -> bool:
    if before.is_meta or after.is_meta:
        return before.is_meta and after.is_meta
    after = after.to(before.device)
    with suppress(NotImplementedError):
        if torch.equal(before, after):
            return True
    try:
        both_nan = before.isnan() & after.isnan()
        return bool(((before == after) | both_nan).all())
    except NotImplementedError:  # bits, and integers of less than 8 bits
        return torch.equal(_bytes(before), _bytes(after))


def _bytes(tensor: Tensor) -> Tensor:
    if tensor.element_size() > 1:  # only the elements of one byte may lie anywhere
        tensor = tensor.reshape(-1).clone(memory_format=torch.contiguous_format)
    return tensor.view(torch.uint8)
