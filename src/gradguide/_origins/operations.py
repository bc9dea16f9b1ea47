"""Tells which operations pass on data, read only metadata, or leave PyTorch."""

from collections import deque
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from torch import Tensor

from gradguide._autograd import tensors_in

_GETTERS = {"data", "T", "mT", "H", "mH", "real", "imag"}
"""Attributes whose value is a tensor with the same data."""

EXITS = {
    "item": "item()",
    "tolist": "tolist()",
    "numpy": "numpy()",
    "__array__": "numpy()",
    "__float__": "float()",
    "__int__": "int()",
    "__index__": "int()",
    "__complex__": "complex()",
    "__bool__": "bool()",
    "equal": "equal()",
    "allclose": "allclose()",
    "__dlpack__": "__dlpack__()",
}
"""Calls that return no tensor but its data, and how they are written in a report."""

METADATA_ONLY = {
    *("requires_grad_", "requires_grad=", "retain_grad", "register_hook"),
    *("share_memory_", "rename_"),
    *("zeros_like", "ones_like", "empty_like", "rand_like", "randn_like"),
    *("randint_like", "new_zeros", "new_ones", "new_empty", "new_empty_strided"),
    *("resize_", "resize_as_", "backward"),
}
"""Operations that read the metadata of a tensor, but not its data."""

CUTS = {
    "detach": "detach()",
    "detach_": "detach_()",
    "data": ".data",
    "data=": ".data",
    "tensor": "torch.tensor()",
    "as_tensor": "torch.tensor()",
    "asarray": "torch.tensor()",
    "new_tensor": "new_tensor()",
    "grad": "grad() without create_graph=True",
}
"""Operations that cut in each grad mode, and how they are written in a report."""

ALIASES = {"detach", "data"}
"""Operations that return a tensor with the memory, but not the history, of another."""

_SHAPE_OF_SECOND = {"type_as", "expand_as", "view_as", "reshape_as", "to"}
_DATA_OF_SECOND = {"new_tensor", "new_full", "full_like"}
_ONE_BY_ONE = {
    "broadcast_tensors",
    "meshgrid",
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
}
_OVERWRITES = {
    *("copy_", "fill_", "zero_", "set_", "normal_", "uniform_", "random_"),
    *("bernoulli_", "exponential_", "geometric_", "log_normal_", "cauchy_"),
    *("kaiming_uniform_", "kaiming_normal_", "xavier_uniform_", "xavier_normal_"),
    *("trunc_normal_", "constant_", "zeros_", "ones_", "eye_", "orthogonal_"),
    "data=",
}


_ON_LISTS = ("_foreach", "_fused")


def name_of(func: Callable[..., Any]) -> str:
    """Return the name of an operation, or of the attribute that it gets or sets."""
    name: str = getattr(func, "__name__", "") or type(func).__name__
    if name in {"__get__", "__set__"}:
        attribute = getattr(getattr(func, "__self__", None), "__name__", "")
        return f"{attribute}=" if name == "__set__" else attribute
    return name.partition(".")[0]  # without the overload, as in add_.Tensor


def reads_only_metadata(func: Callable[..., Any], name: str) -> bool:
    """Whether an operation reads no data of its tensors."""
    if name in METADATA_ONLY:
        return True
    return getattr(func, "__name__", "") == "__get__" and name not in _GETTERS


@lru_cache(maxsize=10_000)
def is_plain(name: str) -> bool:
    """Whether an operation makes new tensors from the data of all its inputs."""
    special = (
        *(_ONE_BY_ONE, _SHAPE_OF_SECOND, _DATA_OF_SECOND, _MAYBE_IN_PLACE),
        *(_OVERWRITES, _RENORMALIZES),
    )
    if name.startswith(_ON_LISTS) or any(name in names for names in special):
        return False
    return name.endswith("__") != (name == "__setitem__") or not name.endswith("_")


def tensors_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Tensor]:
    """Return the tensors in the arguments of a call; fast, as it is called for each."""
    tensors: list[Tensor] = []
    for value in (*args, *kwargs.values()) if kwargs else args:
        if isinstance(value, Tensor):
            tensors.append(value)
        elif isinstance(value, (list, tuple, dict, deque)):
            tensors += tensors_in(value)
    return tensors


def pretty(name: str) -> str:
    """Write an operation as in code, without the underscores of special methods."""
    return f"{name.strip('_') if name.startswith('__') else name}()"


def flows(
    name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: object
) -> Iterator[tuple[list[Tensor], list[Tensor], bool]]:
    """Yield inputs, the results that get their data, and whether that is in place."""
    if name.startswith(_ON_LISTS) or name in _ONE_BY_ONE:
        yield from _one_by_one(name, args, result)
        return
    sources = list(data_of(name, args, kwargs))
    written = list(may_write(name, args, kwargs))
    if name in _MAYBE_IN_PLACE and not any(result is one for one in written):
        written = []
    if written and (name in _OVERWRITES or kwargs.get("out") is not None):
        sources = [s for s in sources if all(s is not w for w in written)]
    yield sources, written or list(tensors_in(result)), bool(written)


def data_of(
    name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Iterator[Tensor]:
    """Yield the inputs whose data an operation reads."""
    if name in _SHAPE_OF_SECOND:
        args, kwargs = args[:1], {}
    elif name in _DATA_OF_SECOND:
        args = args[1:]
    yield from tensors_in(args)
    if kwargs:
        yield from tensors_in(kwargs)


def may_touch(
    name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Iterator[Tensor]:
    """Yield the tensors whose memory an operation could write to."""
    if name in _RENORMALIZES:
        # With max_norm PyTorch scales down rows of the weight in place.
        yield from tensors_in((args, kwargs) if _has_max_norm(args, kwargs) else ())
    else:
        yield from may_write(name, args, kwargs)


def _has_max_norm(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    given = kwargs.get("max_norm", args[_MAX_NORM] if len(args) > _MAX_NORM else None)
    return given is not None


_RENORMALIZES = {"embedding", "embedding_bag"}
_MAX_NORM = 3  # its position in F.embedding and F.embedding_bag


def may_write(
    name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Iterator[Tensor]:
    """Yield the tensors that an operation could write to in place."""
    if kwargs.get("out") is not None:
        yield from tensors_in(kwargs["out"])
    elif _is_in_place(name, args, kwargs):
        yield from tensors_in(args[:1] or tuple(kwargs.values())[:1])


def _is_in_place(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    if name in {"__setitem__", "data="}:
        return True
    if name in _MAYBE_IN_PLACE:
        return kwargs.get("inplace") is True or (bool(args) and args[-1] is True)
    return name.endswith("_") and not name.endswith("__") and name not in CUTS


def factors(name: str, inputs: list[Tensor]) -> list[Tensor]:
    """Return the inputs that, as long as they are 0, make the others' gradient 0."""
    if name in _PRODUCTS:
        return inputs
    if name in {"bilinear", "multi_head_attention_forward"}:
        return [one for one in inputs if one.dim() > 1]  # no bias
    if name.startswith(("linear", "conv")) or name.endswith("_norm"):
        return inputs[1:2] if name != "batch_norm" else inputs[3:4]
    return []


_PRODUCTS = {
    *("mul", "mul_", "multiply", "matmul", "mm", "bmm", "mv", "dot", "outer", "einsum"),
    "addcmul",
}


_MAYBE_IN_PLACE = {
    *("relu", "relu6", "elu", "selu", "celu", "leaky_relu", "hardtanh"),
    *("hardswish", "hardsigmoid", "silu", "mish", "threshold", "rrelu"),
    *("dropout", "alpha_dropout", "dropout2d", "dropout3d", "dropout1d"),
}


def _one_by_one(
    name: str, args: tuple[Any, ...], result: object
) -> Iterator[tuple[list[Tensor], list[Tensor], bool]]:
    lists = [arg for arg in args if isinstance(arg, (list, tuple))] or [args]
    for_all = [arg for arg in args if isinstance(arg, Tensor) and lists != [args]]
    results = result if isinstance(result, (list, tuple)) else lists[0]
    for index, one in enumerate(results):
        sources = [
            source
            for values in lists
            if index < len(values)
            for source in tensors_in(values[index])
        ]
        yield sources + for_all, list(tensors_in(one)), name.endswith("_")
