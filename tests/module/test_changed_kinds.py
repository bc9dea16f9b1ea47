"""Tests that ``changed`` compares tensors of every dtype and layout."""

import math
from collections.abc import Callable
from typing import Self

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import return_and_correct_aliasing

from gradguide import changed

from .test_changed import with_buffer

DTYPES = sorted(
    {d for d in vars(torch).values() if isinstance(d, torch.dtype)}, key=str
)
QUANTIZED = [
    dtype for dtype in DTYPES if str(dtype).startswith(("torch.q", "torch.quint"))
]

pytestmark = [
    pytest.mark.filterwarnings(f"ignore:{message}")
    for message in (
        "(ComplexHalf|BComplex32) support is experimental",
        "The PyTorch API of nested tensors",
        "Sparse (CSR|CSC|BSR|BSC) tensor support is in beta",
        "Sparse invariant checks are implicitly disabled",
        ".*quantized tensor creation functions",
    )
]


def of_bytes(dtype: torch.dtype, first: int = 0) -> Tensor:
    """Return two elements of any dtype, with a first byte."""
    size = torch.empty(0, dtype=dtype).element_size()
    return torch.tensor([first] + [0] * (2 * size - 1), dtype=torch.uint8).view(dtype)


@pytest.mark.parametrize("dtype", [d for d in DTYPES if d not in QUANTIZED], ids=str)
@pytest.mark.parametrize("pick", [..., 0, slice(0, 2, 2)], ids=str)
def test_dtypes(dtype: torch.dtype, pick: object) -> None:
    """Values of any dtype are compared, of tensors of any stride."""
    model = with_buffer(of_bytes(dtype)[pick])
    with changed(model) as names:
        model.table = of_bytes(dtype)[pick]
    assert names == []
    with changed(model) as names:
        model.table = of_bytes(dtype, first=1)[pick]
    assert names == ["table"]


@pytest.mark.parametrize("dtype", [d for d in DTYPES if d.is_complex], ids=str)
def test_equal_numbers(dtype: torch.dtype) -> None:
    """Zeros of both signs are equal, NaN equals NaN, and one part alone may change."""
    model = with_buffer(torch.zeros(1, dtype=dtype))
    with changed(model) as names:
        model.table = torch.tensor([complex(-0.0, -0.0)], dtype=dtype)
    assert names == []
    nan = [complex(math.nan, math.nan)] * 2
    model.table = torch.tensor(nan, dtype=dtype)
    with changed(model) as names:
        model.table = torch.tensor(nan, dtype=dtype)
    assert names == []


def quantized(scale: float = 0.1, first: float = 1.0) -> Tensor:
    return torch.quantize_per_tensor(torch.tensor([first, 2.0]), scale, 0, torch.qint8)


def by_channel(
    dtype: torch.dtype = torch.qint8, scale: float = 0.1, first: float = 1.0
) -> Tensor:
    values = torch.tensor([[first, 2.0], [3.0, 4.0]])
    scales, zeros = torch.tensor([scale, 0.2]), torch.zeros(2)
    return torch.quantize_per_channel(values, scales, zeros, 0, dtype)


def sparse(
    layout: torch.layout = torch.sparse_coo,
    dtype: torch.dtype = torch.float32,
    first: int = 1,
) -> Tensor:
    values = torch.tensor([[first, 0], [0, 2]])
    size = (1, 1) if layout in {torch.sparse_bsr, torch.sparse_bsc} else None
    made = values.to_sparse(layout=layout, blocksize=size)
    if layout != torch.sparse_coo:
        return made.to(dtype) if dtype == torch.float32 else made
    return torch.sparse_coo_tensor(made.indices(), made.values().to(dtype), (2, 2))


def uncoalesced(first: int = 1) -> Tensor:
    return torch.sparse_coo_tensor([[0, 0]], torch.tensor([first, 2.0]), (3,))


def huge(first: float = 1.0) -> Tensor:
    """Return a tensor that has no room when it is dense."""
    return torch.sparse_coo_tensor([[0], [9]], torch.tensor([first]), (10**7, 10**7))


def nested(
    layout: torch.layout, dtype: torch.dtype = torch.float32, first: int = 1
) -> Tensor:
    parts = [torch.tensor([first, 0]), torch.tensor([2])]
    return torch.nested.nested_tensor([p.to(dtype) for p in parts], layout=layout)


class Wrapper(Tensor):
    """A tensor without a storage of its own, as quantization libraries have it."""

    @staticmethod
    def __new__(cls, codes: Tensor, scale: Tensor) -> Self:
        return Tensor._make_wrapper_subclass(cls, codes.shape, dtype=torch.float32)

    def __init__(self, codes: Tensor, scale: Tensor) -> None:
        self.codes, self.scale = codes, scale

    def __tensor_flatten__(self) -> tuple[list[str], None]:
        return ["codes", "scale"], None

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        if function not in {
            torch.ops.aten.detach.default,
            torch.ops.aten.clone.default,
        }:
            raise NotImplementedError(function)
        made = cls(*(function(part) for part in (args[0].codes, args[0].scale)))
        return return_and_correct_aliasing(function, args, kwargs or {}, made)


def wrapped(first: int = 1, scale: float = 0.5) -> Tensor:
    codes = torch.tensor([first, 2], dtype=torch.int8)
    return Wrapper(codes, torch.tensor([scale]))


KINDS: dict[str, tuple[Callable[[], Tensor], list[Callable[[], Tensor]]]] = {
    "quantized": (
        quantized,
        [lambda: quantized(first=1.5), lambda: quantized(scale=0.2, first=2.0)],
    ),
    "quantized by channel": (
        by_channel,
        [lambda: by_channel(first=1.5), lambda: by_channel(scale=0.2)],
    ),
    "four bits by channel": (
        lambda: by_channel(torch.quint4x2),
        [lambda: by_channel(torch.quint4x2, first=1.2)],
    ),
    "another kind": (quantized, [by_channel, lambda: torch.ones(2)]),
    "uncoalesced": (uncoalesced, [lambda: uncoalesced(2)]),
    "huge": (huge, [lambda: huge(2.0)]),
    "mkldnn": (
        lambda: torch.ones(2).to_mkldnn(),
        [lambda: torch.zeros(2).to_mkldnn(), lambda: torch.ones(2)],
    ),
    "wrapper": (wrapped, [lambda: wrapped(3), lambda: wrapped(scale=1.0)]),
    "empty": (lambda: torch.ones(0), [lambda: torch.ones(0, 2)]),
    "conjugate": (lambda: torch.tensor([1j]).conj(), [lambda: torch.tensor([1j])]),
    "expanded": (
        lambda: torch.ones(1).expand(9),
        [lambda: torch.zeros(1).expand(9), lambda: torch.ones(1)],
    ),
    "sparse in another place": (
        lambda: torch.eye(2).to_sparse(),
        [lambda: torch.eye(2).flip(0).to_sparse()],
    ),
    "nested in other parts": (
        lambda: torch.nested.nested_tensor([torch.ones(1), torch.ones(2)]),
        [lambda: torch.nested.nested_tensor([torch.ones(2), torch.ones(1)])],
    ),
    "jagged in other parts": (
        lambda: nested(torch.jagged),
        [
            lambda: torch.nested.nested_tensor(
                [torch.tensor([1.0]), torch.tensor([0.0, 2])], layout=torch.jagged
            )
        ],
    ),
}
ODD = [torch.bool, torch.uint16, torch.complex32, torch.float8_e4m3fn, torch.bfloat16]
KINDS |= {
    f"sparse of {dtype}": (
        lambda dtype=dtype: sparse(dtype=dtype),
        [lambda dtype=dtype: sparse(dtype=dtype, first=0)],
    )
    for dtype in ODD
}
KINDS |= {
    f"{layout}": (
        lambda layout=layout: sparse(layout),
        [lambda layout=layout: sparse(layout, first=3)],
    )
    for layout in (
        torch.sparse_csr,
        torch.sparse_csc,
        torch.sparse_bsr,
        torch.sparse_bsc,
    )
}
KINDS |= {
    f"nested {layout} of {dtype}": (
        lambda layout=layout, dtype=dtype: nested(layout, dtype),
        [lambda layout=layout, dtype=dtype: nested(layout, dtype, first=0)],
    )
    for layout in (torch.strided, torch.jagged)
    for dtype in (torch.float32, torch.bool, torch.int64, *ODD)
    if layout == torch.jagged or dtype in {torch.float32, torch.bool, torch.int64}
}


@pytest.mark.parametrize("kind", KINDS)
def test_kinds(kind: str) -> None:
    """Tensors of every layout are compared by all that their values are made of."""
    make, others = KINDS[kind]
    model = with_buffer(make())
    with changed(model) as names:
        model.table = make()
    assert names == []
    for other in others:
        model.table = make()
        with changed(model) as names:
            model.table = other()
        assert names == ["table"]


def test_nested_lengths_may_be_cached() -> None:
    """What a jagged tensor computes when it is read is no change of it."""
    values, offsets = torch.ones(3), torch.tensor([0, 2, 3])
    model = with_buffer(torch.nested.nested_tensor_from_jagged(values, offsets))
    with changed(model) as names:
        model.table.to_padded_tensor(0.0)
        model.table._get_max_seqlen()
    assert names == []


def test_written_in_place() -> None:
    """The copy does not share the memory of what is compared with it."""
    model = nn.Module()
    for index, (make, _) in enumerate(KINDS[kind] for kind in ("wrapper", "huge")):
        setattr(model, f"b{index}", nn.Buffer(make()))
    with changed(model) as names:
        model.b0.codes += 1
        model.b1._values().add_(1)
    assert names == ["b0", "b1"]
