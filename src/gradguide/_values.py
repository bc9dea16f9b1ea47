"""Numbers what tensors hold, and follows it through memory that they share."""

from collections.abc import Iterable
from typing import NamedTuple
from weakref import ref

from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef

from gradguide._autograd import pieces
from gradguide._blame import Cause


class Written(NamedTuple):
    """What was written last to a piece of memory, and what it holds with all before.

    They differ if a detached tensor was written to: the others that share its memory
    get what was written, without its history.
    """

    value: int
    memory: int


class Values:
    """Gives each value a number; tensors and their memory are held weakly.

    A value is what a tensor holds at one time: an operation in place makes a new one.
    The first numbers are those of the parameters, in their order: a parameter stays
    itself, whatever is written into it.
    """

    def __init__(self, parameters: Iterable[Tensor]) -> None:
        """Number the parameters."""
        self._count = 0
        self._held: dict[int, tuple[ref[Tensor], int, int]] = {}
        self._memory: dict[int, tuple[StorageWeakRef, int]] = {}
        self._written: dict[int, tuple[StorageWeakRef, Written]] = {}
        self._aliases: dict[int, tuple[ref[Tensor], Cause | None]] = {}
        self._own: dict[int, int] = {}
        self._homes: set[int] = set()
        for parameter in parameters:
            self._own[id(parameter)] = self.new(parameter)
            self._homes.add(address_of(parameter))
        self._homes.discard(0)
        self._parameters = self._count

    def of(self, tensor: Tensor) -> tuple[int, ...]:
        """Return the values that a tensor holds now; none if none is known."""
        held = self._held.get(id(tensor))
        if held is not None and held[0]() is tensor:
            _, value, address = held
        else:
            value, address = -1, address_of(tensor) if self._written else 0
        found = (value,) if value >= 0 else ()
        # Another tensor with the same memory may have been written since.
        written = self.written(address) if address in self._written else None
        if written is not None and written.value > value:
            found = (written.memory, *found)
        own = self._own.get(id(tensor), value)
        return found if own == value else (*found, own)

    def of_leaf(self, leaf: Tensor) -> int | None:
        """Return the number that a parameter keeps, if it is one."""
        return self._own.get(id(leaf))

    def in_memory(self, tensor: Tensor) -> int | None:
        """Return what is in the memory of a tensor, put there through another one."""
        address = address_of(tensor)
        memory = self._memory.get(address)
        return memory[1] if memory and not _is_gone(memory[0]) else None

    def written(self, address: int) -> Written | None:
        """Return what was written to a piece of memory that is still there."""
        found = self._written.get(address)
        return found[1] if found and not _is_gone(found[0]) else None

    def is_parameter(self, value: int) -> bool:
        """Whether a value is what a parameter held at first."""
        return value < self._parameters

    def is_in_parameter(self, tensor: Tensor) -> bool:
        """Whether what is written to a tensor is written into a parameter."""
        return id(tensor) in self._own or address_of(tensor) in self._homes

    def next(self) -> int:
        """Return a number for a value that no tensor holds alone."""
        self._count += 1
        return self._count - 1

    def new(self, tensor: Tensor) -> int:
        """Number what a tensor holds from now on."""
        value = self.next()
        address = address_of(tensor)
        self._held[id(tensor)] = (ref(tensor), value, address)
        if address:
            self._memory[address] = (_weak(tensor), value)
        return value

    def stand_in(self, tensor: Tensor, number: int) -> None:
        """Let a tensor hold what the parameter of that number holds."""
        self._held[id(tensor)] = (ref(tensor), number, address_of(tensor))

    def write(self, tensor: Tensor, written: Written) -> None:
        """Note what was written to the memory of a tensor."""
        self._written[address_of(tensor)] = (_weak(tensor), written)

    def detach(self, tensor: Tensor, cause: Cause | None) -> None:
        """Note that a tensor shares memory with others, but not their history."""
        self._aliases[id(tensor)] = (ref(tensor), cause)

    def detached_by(self, tensor: Tensor) -> Cause | None:
        """Return what detached a tensor from others with the same memory, if any."""
        held = self._aliases.get(id(tensor))
        if held and held[0]() is tensor:
            return held[1]
        # A view of a detached tensor is detached too; its base has no public name.
        base = tensor._base  # noqa: SLF001
        return None if base is None else self.detached_by(base)

    def forget(self, tensor: Tensor) -> None:
        """Forget what was in the memory that a new tensor has got."""
        address = address_of(tensor)
        self._written.pop(address, None)
        self._memory.pop(address, None)


def address_of(tensor: Tensor) -> int:
    """Return where the memory of a tensor begins; 0 where there is none."""
    found = pieces(tensor)
    return found[0].data_ptr() if found else 0


def covers_its_memory(tensor: Tensor) -> bool:
    """Whether a tensor is all that is in its memory."""
    return pieces(tensor)[0].nbytes() <= tensor.numel() * tensor.element_size()


def _weak(tensor: Tensor) -> StorageWeakRef:
    # The address alone may be that of other memory later.
    return StorageWeakRef(pieces(tensor)[0])  # type: ignore[no-untyped-call]


def _is_gone(memory: StorageWeakRef) -> bool:
    return bool(memory.expired())  # type: ignore[no-untyped-call]
