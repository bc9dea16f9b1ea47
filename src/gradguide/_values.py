"""Numbers the values of tensors, and follows them through shared memory."""

from collections.abc import Iterable
from typing import NamedTuple
from weakref import ref

from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef

from gradguide._autograd import pieces
from gradguide._blame import Cause


class Written(NamedTuple):
    """The value last written to a storage, and the value that the storage then holds.

    They differ after a write to a detached tensor: tensors that share its memory get
    the new data without its history.
    """

    value: int
    memory: int


class Values:
    """Gives each value a number; tensors and storages are referred to weakly.

    A value is the content of a tensor at one time; a write in place makes a new value.
    The first numbers belong to the parameters, in their order. A parameter keeps its
    number after a write, as the optimizer still updates it.
    """

    def __init__(self, parameters: Iterable[Tensor]) -> None:
        """Number the parameters."""
        self._count = 0
        self._current: dict[int, tuple[ref[Tensor], int, int]] = {}
        self._memory: dict[int, tuple[StorageWeakRef, int]] = {}
        self._written: dict[int, tuple[StorageWeakRef, Written]] = {}
        self._aliases: dict[int, tuple[ref[Tensor], Cause | None]] = {}
        self._own_values: dict[int, int] = {}
        self._parameter_addresses: set[int] = set()
        for parameter in parameters:
            self._own_values[id(parameter)] = self.new(parameter)
            self._parameter_addresses.add(address_of(parameter))
        self._parameter_addresses.discard(0)
        self._parameter_count = self._count

    def of(self, tensor: Tensor) -> tuple[int, ...]:
        """Return the numbers of the values that a tensor holds, if it has any."""
        current = self._current.get(id(tensor))
        if current is not None and current[0]() is tensor:
            _, value, address = current
        else:
            value, address = -1, address_of(tensor) if self._written else 0
        values = (value,) if value >= 0 else ()
        # A tensor that shares its memory may have been written to since.
        written = self.written(address) if address in self._written else None
        if written is not None and written.value > value:
            values = (written.memory, *values)
        own_value = self._own_values.get(id(tensor), value)
        return values if own_value == value else (*values, own_value)

    def of_leaf(self, leaf: Tensor) -> int | None:
        """Return the number of a leaf that is one of the parameters, or None."""
        return self._own_values.get(id(leaf))

    def in_memory(self, tensor: Tensor) -> int | None:
        """Return the value that another tensor has put into this memory, or None."""
        address = address_of(tensor)
        memory = self._memory.get(address)
        return memory[1] if memory and not _is_gone(memory[0]) else None

    def written(self, address: int) -> Written | None:
        """Return what was written at an address, unless that memory was freed."""
        entry = self._written.get(address)
        return entry[1] if entry and not _is_gone(entry[0]) else None

    def is_parameter(self, value: int) -> bool:
        """Whether a value is the first one of a parameter."""
        return value < self._parameter_count

    def is_in_parameter(self, tensor: Tensor) -> bool:
        """Whether a tensor is a parameter or shares memory with one."""
        return (
            id(tensor) in self._own_values
            or address_of(tensor) in self._parameter_addresses
        )

    def next(self) -> int:
        """Return a new number, for a value that belongs to no single tensor."""
        self._count += 1
        return self._count - 1

    def new(self, tensor: Tensor) -> int:
        """Give the content of a tensor a new number."""
        value = self.next()
        address = address_of(tensor)
        self._current[id(tensor)] = (ref(tensor), value, address)
        if address:
            self._memory[address] = (_weak(tensor), value)
        return value

    def set_parameter(self, tensor: Tensor, number: int) -> None:
        """Give a tensor the number of the parameter that it replaces."""
        self._current[id(tensor)] = (ref(tensor), number, address_of(tensor))

    def write(self, tensor: Tensor, written: Written) -> None:
        """Note a write to the memory of a tensor."""
        self._written[address_of(tensor)] = (_weak(tensor), written)

    def detach(self, tensor: Tensor, cause: Cause | None) -> None:
        """Note that a tensor shares memory with others but not their history."""
        self._aliases[id(tensor)] = (ref(tensor), cause)

    def detached_by(self, tensor: Tensor) -> Cause | None:
        """Return what detached a tensor from others with the same memory, or None."""
        held = self._aliases.get(id(tensor))
        if held and held[0]() is tensor:
            return held[1]
        # A view of a detached tensor is detached too. PyTorch has no public name for
        # the base of a view.
        base = tensor._base  # noqa: SLF001
        return None if base is None else self.detached_by(base)

    def forget(self, tensor: Tensor) -> None:
        """Forget what was at the address that a new tensor has got."""
        address = address_of(tensor)
        self._written.pop(address, None)
        self._memory.pop(address, None)


def address_of(tensor: Tensor) -> int:
    """Return the address of the memory of a tensor; 0 if it has none."""
    storages = pieces(tensor)
    return storages[0].data_ptr() if storages else 0


def covers_its_memory(tensor: Tensor) -> bool:
    """Whether a tensor fills its storage."""
    return pieces(tensor)[0].nbytes() <= tensor.numel() * tensor.element_size()


def _weak(tensor: Tensor) -> StorageWeakRef:
    # An address alone may belong to another storage later.
    return StorageWeakRef(pieces(tensor)[0])  # type: ignore[no-untyped-call]


def _is_gone(memory: StorageWeakRef) -> bool:
    return bool(memory.expired())  # type: ignore[no-untyped-call]
