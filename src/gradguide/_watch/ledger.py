"""Notes what becomes of each tensor in a real iteration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import ref

from gradguide._memory import has_memory, is_zero, local, pieces
from gradguide._origins.where import here, line_here
from gradguide._watch.fingerprint import Fingerprint, fingerprint, has_changed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from torch import Tensor

    from gradguide._origins.where import Place


@dataclass(slots=True)
class Record:
    """What was observed of a tensor.

    Attributes:
        tensor: The tensor.
        bit: Its bit as a source on the tape; 0 if it is none.
        required_grad: Whether it ever required grad.
        read: Where it was first read as a leaf that requires grad.
        read_frozen: Where it was read while it did not require grad.
        has_gradient: Whether it ever had a gradient.
        nonzero: Whether such a gradient was not zero everywhere.
        latest: Whether its gradient after the last backward was not zero everywhere.
        cancels: Whether its gradient was zero at a step, though not in another loss.
        has_parts: Whether a use gave it a gradient that was not zero.
        trained: Whether it changed and had a gradient that was not zero.
        by_step: Why a step changed it although it does not train; or empty.
        has_own_gradient: Whether the script itself made the gradient of such a step.
        by_hand: Whether it changed otherwise, outside of a step.
        written: Where it was written to at last outside of a step.
        in_forward: Whether that was in the forward of a module.
        was_zero: Whether it was zero everywhere before its last step.
        holder: The id of the optimizer that stepped last with it; 0 if none did.
        other: The id of the optimizer that stepped with it before that one.
        is_shared: Whether two optimizers step with it in turn.
        group: The name that the optimizer has for it or for its group; or empty.
        still: Why the last step left it as it was although it has a gradient.
        is_normal: Whether that is normal at the start of a training.
        start: The fingerprint before its first step, as long as it returns to that.
        returns: How many later steps began with the values from before the first one.
        before: The fingerprint before the first write since the last comparison.
    """

    tensor: ref[Tensor]
    bit: int = 0
    required_grad: bool = False
    read: Place | None = None
    read_frozen: Place | None = None
    has_gradient: bool = False
    nonzero: bool = False
    latest: bool = False
    cancels: bool = False
    has_parts: bool = False
    trained: bool = False
    by_step: str = ""
    has_own_gradient: bool = False
    by_hand: bool = False
    written: Place | None = None
    in_forward: bool = False
    was_zero: bool = False
    holder: int = 0
    other: int = 0
    is_shared: bool = False
    group: str = ""
    still: str = ""
    is_normal: bool = False
    start: Fingerprint | None = None
    returns: int = 0
    before: Fingerprint | None = None

    def note_holder(self, optimizer: int) -> None:
        """Note the optimizer, given by its id, that steps with it."""
        if self.holder not in (0, optimizer):
            self.is_shared |= self.other == optimizer
            self.other = self.holder
        self.holder = optimizer

    def note_gradient(self, grad: Tensor | None) -> None:
        """Note a gradient, and whether it is zero everywhere."""
        if grad is not None:
            self.has_gradient = True
            self.latest = not is_zero(grad)
            self.nonzero |= self.latest


class Ledger:
    """The records of the tensors that are read as parameters, or held by optimizers."""

    def __init__(self) -> None:
        self._records: dict[int, Record] = {}
        self._by_address: dict[int, list[Record]] = {}
        self._own_gradients: dict[int, ref[Tensor]] = {}
        self.copied_into_itself: dict[Place | None, None] = {}
        """The lines that copied a tensor into itself, as keys."""

    def __iter__(self) -> Iterator[tuple[Tensor, Record]]:
        """Yield each tensor that is alive, with its record."""
        for record in list(self._records.values()):
            tensor = record.tensor()
            if tensor is not None:
                yield tensor, record

    def get(self, tensor: Tensor) -> Record | None:
        """Return the record of a tensor, or None."""
        record = self._records.get(id(tensor))
        return record if record and record.tensor() is tensor else None

    def of(self, tensor: Tensor) -> Record:
        """Return the record of a tensor; a new one if it has none."""
        record = self.get(tensor)
        if record is None:
            record = self._records[id(tensor)] = Record(ref(tensor))
            self._note_address(tensor, record)
        return record

    def _note_address(self, tensor: Tensor, record: Record) -> None:
        """Note where a tensor is in memory now; ``.data =`` moves it."""
        for piece in pieces(tensor):
            known = self._by_address.setdefault(piece.data_ptr(), [])
            if not any(one is record for one in known):
                known.append(record)

    def sharing(self, tensor: Tensor) -> Iterator[tuple[Tensor, Record]]:
        """Yield the tensors with records that share memory with a tensor."""
        for piece in pieces(tensor):
            for record in self._by_address.get(piece.data_ptr(), ()):
                other = record.tensor()
                if other is not None and any(
                    own.data_ptr() == piece.data_ptr() for own in pieces(other)
                ):
                    yield other, record

    def note_own_gradients(self, tensors: Iterable[Tensor]) -> None:
        """Note tensors that the script assigned to a ``.grad``, or copied into."""
        self._own_gradients |= {id(tensor): ref(tensor) for tensor in tensors}

    def note_copy(self, target: Tensor, source: Tensor | None = None) -> None:
        """Note that a tensor is copied into another one, or into itself."""
        if source is None or not (has_memory(target) and has_memory(source)):
            return
        is_alike = (source.shape, source.stride()) == (target.shape, target.stride())
        if is_alike and source.data_ptr() == target.data_ptr():
            self.copied_into_itself[line_here()] = None

    def is_own_gradient(self, grad: Tensor | None) -> bool:
        """Whether the script itself made a gradient, as for master weights."""
        known = self._own_gradients.get(id(grad))
        return known is not None and known() is grad

    def before_write(self, tensor: Tensor, *, in_forward: bool) -> None:
        """Take fingerprints of all that shares memory with what is written to."""
        if own := self.get(tensor):
            self._note_address(tensor, own)
        for other, record in self.sharing(tensor):
            record.written, record.in_forward = here(), in_forward
            is_known = record.trained and other.requires_grad
            if not is_known and record.before is None:
                record.before = fingerprint(other)

    def note_gradients(self) -> None:
        """Look which tensors have a gradient after a backward."""
        for tensor, record in self:
            if not record.trained and tensor.is_leaf:
                record.required_grad |= tensor.requires_grad
                record.note_gradient(tensor.grad)

    def compare(self) -> None:
        """Find out which tensors were changed by hand since the last comparison."""
        for tensor, record in self:
            self.compare_one(tensor, record)

    def compare_one(self, tensor: Tensor, record: Record) -> None:
        """Find out whether a tensor was changed by hand since the last comparison."""
        before, record.before = record.before, None
        if before is not None and has_changed(tensor, before):
            trains = record.nonzero and record.required_grad
            record.trained |= trains
            record.by_hand |= not trains

    def note_return(self, tensor: Tensor, record: Record) -> None:
        """Note whether a step begins with the values from before the first one."""
        if record.start is not None:
            if has_changed(tensor, record.start) or not local(tensor).numel():
                record.start = None
            else:
                record.returns += 1

    def forget_writes(self) -> None:
        """Forget what was written by hand so far, as when a checkpoint was loaded."""
        for _, record in self:
            record.before, record.by_hand = None, False
