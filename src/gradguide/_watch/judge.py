"""Judges what becomes of a tensor, and why."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from gradguide._alive import Alive
from gradguide._explain.evidence import hides_operations
from gradguide._explain.optimizer import held_by
from gradguide._memory import local, pieces
from gradguide._origins.blame import Cause
from gradguide._origins.uses import Verdict
from gradguide._watch.ledger import Record
from gradguide._watch.misspelt import misspelt_around, misspelt_in
from gradguide._watch.observer import Observer
from gradguide._watch.sources import source_of
from gradguide._watch.wrappers import frozen_after_wrapping


class Judge:
    """Judges tensors by what was observed.

    Attributes:
        attributes: The ids of tensors that no module registers and that are no inputs.
    """

    def __init__(
        self, observer: Observer, everything: Alive, names: Mapping[int, str]
    ) -> None:
        """Judge what was observed; ``names`` are those of parameters of modules."""
        self._seen = observer
        self._ledger = observer.ledger
        self._names = names
        self._held = {
            id(held.tensor): optimizer
            for optimizer in everything.optimizers
            for held in held_by(optimizer)
        }
        self.attributes: set[int] = set()
        self._copies = self._copies_that_learn()
        self._hidden = {
            id(parameter)
            for module in everything.modules
            if hides_operations(module)
            for parameter in module.parameters()
        }
        self._late = frozen_after_wrapping(everything.modules, self._seen.flags)
        self._misspelt = misspelt_around(everything.modules)
        self._steps_alone = self._steps_without_gradients()
        stepped = {
            id(tensor): record for tensor, record in self._ledger if record.holder
        }
        self._trains_no_module = self._names.keys().isdisjoint(
            self._held.keys() | stepped
        ) and any(record.nonzero for record in stepped.values())
        self._trained = {
            piece.data_ptr(): tensor
            for tensor, record in self._ledger
            if record.trained
            for piece in pieces(tensor)
        }

    def has_iterated(self) -> bool:
        """Whether a step ran or, without optimizers, an update by hand could."""
        return self._seen.has_iterated(by_hand=not self._held)

    def is_orphan(self, tensor: Tensor, record: Record) -> bool:
        """Whether the forward has no use for a tensor that an optimizer holds."""
        if not tensor.requires_grad or record.has_gradient or record.read_frozen:
            return False
        if not record.bit:
            return True
        read_at = self._seen.uses.read_at.get(record.bit.bit_length(), 0)
        return read_at <= self._seen.backwards.first and self._seen.backwards.count > 1

    def judge(self, tensor: Tensor, record: Record) -> Verdict:
        """Say what becomes of a tensor."""
        if not tensor.requires_grad and not self._trains_at_times(tensor, record):
            return self._of_frozen(tensor, record)
        if record.trained:
            return self._of_trained(tensor, record)
        if record.nonzero:
            return self._of_gradient(tensor, record)
        if record.has_gradient:
            return self._of_zero(record)
        return self._without_gradient(tensor, record)

    def _trains_at_times(self, tensor: Tensor, record: Record) -> bool:
        """Whether a tensor trains that is frozen now, as a GAN does with its critic."""
        return record.trained and not record.by_step and id(tensor) not in self._late

    def _of_frozen(self, tensor: Tensor, record: Record) -> Verdict:
        if id(tensor) in self._late:
            place = self._seen.flags.frozen_at(tensor)
            why = "DDP still waits for its gradient: freeze before wrapping"
            return Verdict("frozen after DDP", why, place)
        if record.by_step and (record.required_grad or not record.has_own_gradient):
            return Verdict("moves", record.by_step)
        if record.by_step:  # as for master weights
            return Verdict("trains", record.by_step.removeprefix("frozen, but "))
        shared = self.shared_with(tensor)
        if shared is not None:
            name = self._names.get(id(shared)) or "a tensor"
            why = f"frozen, but shares its memory with {name}, which trains"
            return Verdict("moves", why)
        if record.by_hand:
            if source := source_of(tensor, self._seen, self._name_of):
                return Verdict("frozen", f"copied or averaged from {source}")
            if record.in_forward:
                why = "frozen, but the forward writes to this parameter"
                return Verdict("moves", why, record.written)
            return Verdict("moves", "frozen, but written by hand", record.written)
        if tensor.grad is not None:
            return Verdict("frozen", "stale .grad")
        if not self._seen.steps.count:
            return Verdict("frozen")
        source = source_of(tensor, self._seen, self._name_of)
        why = f"copied from {source}, and not changed since" if source else ""
        return Verdict("frozen", why)

    def _of_trained(self, tensor: Tensor, record: Record) -> Verdict:
        if record.start is not None and record.returns > 1:
            why = "each step() starts from the same values: its update is overwritten"
            return Verdict("undone", why, record.written)
        if bool(torch.isnan(local(tensor.detach())).any()):
            why = "nan after step(): torch.autograd.detect_anomaly() shows where"
            return Verdict("nan", why)
        misspelt = self._misspelt.get(id(tensor)) or misspelt_in(tensor)
        return Verdict("moves", misspelt) if misspelt else Verdict("trains")

    def _of_gradient(self, tensor: Tensor, record: Record) -> Verdict:
        if record.still:
            return Verdict("still", record.still, is_normal=record.is_normal)
        if record.by_hand:
            return Verdict("trains")
        if record.cancels:
            why = "its gradient is zero in the losses of its optimizer, not in others"
            return Verdict("zero", why, is_normal=True)
        if record.holder:
            return Verdict("unknown", "no step has run since it has a gradient")
        holder = self._held.get(id(tensor))
        if not self._seen.has_iterated(by_hand=holder is None):
            return Verdict("unknown", "no step has run")
        if self._trains_no_module and id(tensor) in self._names:
            why = "no optimizer holds it; only tensors outside of modules train"
            return Verdict("frozen", why)
        why = "gets a gradient that nobody applies"
        if holder is not None:
            why += f": the step() of its {type(holder).__name__} never ran"
        is_registered = id(tensor) in self._names and id(tensor) not in self.attributes
        if holder is not None or is_registered:
            return Verdict("not in optimizer", why)
        if isinstance(tensor, nn.Parameter) or id(tensor) in self.attributes:
            why = "reached by the loss, but not a parameter of the model"
            return Verdict("unregistered", why, record.read)
        why = "gets a gradient that nobody applies: an input?"
        return Verdict("unknown", why)

    def _of_zero(self, record: Record) -> Verdict:
        if not record.holder:
            return Verdict("frozen", "no optimizer holds it; its gradient is zero")
        factors = self._seen.factors.of(record.bit)
        for tensor, other in self._ledger:
            if other.bit & factors and other.was_zero and other.nonzero:
                why = f"its gradient is zero as long as {self._name_of(tensor)} is"
                return Verdict("zero", why, is_normal=True)
        if record.has_parts:
            why = "the gradients of its uses cancel out: it has no effect on the loss"
            return Verdict("zero", why, is_normal=True)
        return Verdict("zero", "its gradient is exactly zero")

    def _name_of(self, tensor: Tensor) -> str:
        return self._names.get(id(tensor)) or self._seen.roots.name_of(tensor)

    def _without_gradient(self, tensor: Tensor, record: Record) -> Verdict:
        source = source_of(tensor, self._seen, self._name_of) if record.by_hand else ""
        if source:
            return Verdict("frozen", f"copied or averaged from {source}")
        reason = self._why_no_gradient(tensor, record)
        if record.by_hand and not self._steps_alone:
            return Verdict("trains", "written by hand", record.written)
        is_held = record.holder or id(tensor) in self._held
        if reason.verdict == "unknown" or is_held or not self._held:
            return reason
        why = f"no optimizer holds it; {reason.why}"
        return Verdict("frozen", why, reason.where)

    def _why_no_gradient(self, tensor: Tensor, record: Record) -> Verdict:
        if not self._seen.backwards.count and not self._seen.steps.count:
            return Verdict("unknown", "no backward has run")
        if self._steps_alone:
            return Verdict("unused", "step() ran, but no backward() before it")
        for failure in self._seen.backwards.failures:
            if failure.is_missing and id(tensor) in failure.behind:
                return Verdict("cut", failure.why, failure.where)
        if id(tensor) in self._seen.backwards.without:
            return Verdict("cut", *self._seen.backwards.without[id(tensor)])
        if not record.bit and record.read_frozen:
            why = "requires_grad was False when it was read"
            return Verdict("cut", why, record.read_frozen)
        if self._seen.saw_threads or id(tensor) in self._hidden:
            return Verdict("unknown", "what runs in other threads or in TorchScript")
        verdict = self._verdict(record)
        failed = verdict.verdict == "unknown" and self._seen.backwards.failures
        if failed or self._seen.backwards.interrupted & record.bit:
            return Verdict("unknown", "backward raised before it reached it")
        return verdict

    def _steps_without_gradients(self) -> bool:
        """Whether steps ran, but nothing gave any tensor a gradient."""
        if self._seen.backwards.count or not self._seen.steps.count:
            return False
        return not any(record.has_gradient for _, record in self._ledger)

    def _verdict(self, record: Record) -> Verdict:
        """Return the verdict of the tape, by the losses before the step if possible."""
        before = self._seen.backwards.reached_before(record.holder)
        is_known = any(mask & record.bit for mask in before.values())
        reached = before if is_known else self._seen.backwards.reached
        return self._seen.uses.verdict(record.bit, reached, self._copies)

    def _copies_that_learn(self) -> list[tuple[int, Cause]]:
        """Return the sources whose copies got gradients."""
        return [
            (mask, cause)
            for copy, mask, cause in self._seen.flow.copies()
            if (record := self._ledger.get(copy)) and record.nonzero
        ]

    def shared_with(self, tensor: Tensor) -> Tensor | None:
        """Return a tensor that trains and overlaps in memory with a frozen one."""
        for piece in pieces(tensor):
            other = self._trained.get(piece.data_ptr())
            if other is not None and other is not tensor and _overlap(tensor, other):
                return other
        return None


def _overlap(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors have bytes in common; both count as without gaps."""
    try:
        starts = one.data_ptr(), other.data_ptr()
    except RuntimeError:
        return True
    ends = (
        starts[0] + one.numel() * one.element_size(),
        starts[1] + other.numel() * other.element_size(),
    )
    return starts[0] < ends[1] and starts[1] < ends[0]
