"""What the backwards of a run reached, and which of them failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradguide._origins.values import Origins, mask_of, merged
from gradguide._watch.failures import (
    Failure,
    failure_of,
    frozen_that_grad_was_asked_for,
    functions_without_gradient,
)
from gradguide._watch.uses_that_cancel import look_for_parts

if TYPE_CHECKING:
    from torch import Tensor

    from gradguide._origins.tape import Tape
    from gradguide._origins.where import Place
    from gradguide._watch.ledger import Ledger
    from gradguide._watch.roots import Roots


class Backwards:
    """The backwards that ran.

    Attributes:
        count: How many ran, also those that raised.
        first: The time of the first one, as uses are counted.
        reached: Where the data of all losses came from.
        failures: Those that raised because of a custom function.
        interrupted: The sources that a backward was on its way to when it raised.
        without: Leaves without a gradient, and the function that gave None.
    """

    def __init__(self, tape: Tape, ledger: Ledger, roots: Roots) -> None:
        self._tape = tape
        self._ledger = ledger
        self._roots = roots
        self.count = 0
        self.first = 0
        self.reached: Origins = {}
        self._before: dict[int, Origins] = {}
        self._last: dict[int, Origins] = {}
        self._since_step: Origins = {}
        self._has_stepped = False
        self._compared = 0
        self.failures: list[Failure] = []
        self.interrupted = 0
        self.without: dict[int, tuple[str, Place | None]] = {}

    def begin(self, losses: list[Tensor]) -> None:
        """Note from which losses a backward runs."""
        reached = merged(map(self._tape.origins, losses))
        self.reached = merged((self.reached, reached))
        if self._has_stepped:
            self._has_stepped, self._since_step = False, {}
        self._since_step = merged((self._since_step, reached))
        if not self.count:
            self.first = self._tape.uses.time
            self._ledger.forget_writes()
            self._roots.look_for_names()
        self.count += 1
        zero = {
            id(tensor): record
            for tensor, record in self._ledger
            if record.has_gradient and not record.nonzero and not record.has_parts
        }
        if zero:
            look_for_parts(losses, zero)

    def end(self, losses: list[Tensor]) -> None:
        """Note what a backward gave a gradient, and what it did not."""
        self._ledger.note_gradients()
        self._compared = self.count
        mask = _connected(self.reached)
        lost = {
            id(tensor)
            for tensor, record in self._ledger
            if record.bit & mask and not record.has_gradient
        }
        if lost:
            calls = self._tape.blame.calls
            self.without |= functions_without_gradient(losses, lost, calls)

    def fail(self, losses: list[Tensor], error: Exception) -> None:
        """Note that a backward raised."""
        self._roots.names.look_for(frozen_that_grad_was_asked_for(error), None)
        calls = self._tape.blame.calls
        failure = failure_of(error, losses, calls, self._roots.name_of)
        if failure is not None:
            self.failures.append(failure)
        elif any(loss.requires_grad for loss in losses):
            self.interrupted |= _connected(merged(map(self._tape.origins, losses)))

    def before_step(self, optimizer: int) -> None:
        """Note that an optimizer, given by its id, applies the gradients."""
        if self._compared != self.count or not self.count:
            self._ledger.note_gradients()  # of a backward that was not seen whole
        parts = self._before.get(optimizer, {}), self._since_step
        self._before[optimizer] = merged(parts)
        self._last[optimizer] = self._since_step
        self._has_stepped = True

    def reached_before(self, optimizer: int) -> Origins:
        """Return where the data of the losses before the steps of one came from."""
        return self._before.get(optimizer, {})

    def connected_at_last(self, optimizer: int) -> int:
        """Return the sources with a gradient before the last step of one, as a mask."""
        return _connected(self._last.get(optimizer, {}))


def _connected(reached: Origins) -> int:
    """Return the sources to which a loss has a way that is not cut."""
    return mask_of({way: mask for way, mask in reached.items() if way.cut is None})
