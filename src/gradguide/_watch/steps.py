"""Observes the steps of optimizers: what they move, and why they leave a tensor."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.optim import LBFGS

from gradguide._changed import same_values
from gradguide._explain.optimizer import (
    Held,
    held_by,
    is_of_torch,
    rehearse,
    remembered,
)
from gradguide._memory import is_zero, local
from gradguide._origins.where import here
from gradguide._watch.fingerprint import fingerprint, has_changed
from gradguide._watch.ledger import Ledger, Record
from gradguide._watch.stepped import Stepped
from gradguide._watch.zeroed import Zeroed

if TYPE_CHECKING:
    from torch.optim import Optimizer


class Steps:
    """The steps of all optimizers that are watched.

    Attributes:
        count: How many steps were made.
        skips: How many steps a ``GradScaler`` skipped.
        optimizers: The optimizers that have stepped, by their ids.
        zeroed: The gradients that the script set to zero before a step.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._running: dict[int, _Step] = {}
        self.count = self.skips = 0
        self.optimizers: dict[int, Stepped] = {}
        self.zeroed = Zeroed()

    def is_running(self, optimizer: Optimizer) -> bool:
        """Whether a step of an optimizer runs."""
        return id(optimizer) in self._running

    def begin(self, optimizer: Optimizer) -> None:
        """Note the tensors of an optimizer before its step.

        A class may call the step of its base class, which is not another step.
        """
        if id(optimizer) in self._running:
            self._running[id(optimizer)].depth += 1
            return
        before = {}
        outer = {key for step in self._running.values() for key in step.before}
        for held in held_by(optimizer):
            tensor = held.tensor
            if id(tensor) in outer:
                continue  # the optimizer around this one may undo its step
            record = self._record_of(held, optimizer)
            record.required_grad |= tensor.requires_grad
            self._ledger.compare_one(tensor, record)
            if record.trained and tensor.requires_grad:
                self._ledger.note_return(tensor, record)
                record.was_zero = record.was_zero and is_zero(tensor)
                continue
            record.was_zero = is_zero(tensor)
            if self._ledger.is_own_gradient(tensor.grad):
                record.has_own_gradient = True
            before[id(tensor)] = _Before(held, record, optimizer)
        self._running[id(optimizer)] = _Step(before)
        self.zeroed.before_step(optimizer)

    def end(self, optimizer: Optimizer) -> bool:
        """Compare the tensors of an optimizer after its step.

        Return whether a step has ended that no other step called.
        """
        step = self._running.get(id(optimizer))
        if step is None:
            return False
        if step.depth:
            step.depth -= 1
            return False
        del self._running[id(optimizer)]
        self.count += 1
        self._note_step(optimizer)
        all_held = list(held_by(optimizer))
        had_gradients = any(held.tensor.grad is not None for held in all_held)
        for held in all_held:
            known = step.before.get(id(held.tensor))
            if known is not None:
                known.compare(optimizer, had_gradients=had_gradients)
        self.zeroed.after_step()
        return not self._running

    def _note_step(self, optimizer: Optimizer) -> None:
        place = here()
        for key, other in self.optimizers.items():
            if key != id(optimizer):
                other.after_step_of_another(place)
        if id(optimizer) not in self.optimizers:
            self.optimizers[id(optimizer)] = Stepped(optimizer, self.count)
        self.optimizers[id(optimizer)].after_step(optimizer, self.count, place)

    def skip(self, optimizer: Optimizer) -> None:
        """Note that a ``GradScaler`` skipped the step of an optimizer."""
        self.skips += 1
        for held in held_by(optimizer):
            record = self._record_of(held, optimizer)
            record.has_gradient |= held.tensor.grad is not None
            record.still = _SKIPPED

    def before_backward(self) -> None:
        """Note that a backward begins."""
        for one in self.optimizers.values():
            one.before_backward()

    def after_backward(self) -> None:
        """Note that a backward has ended."""
        for one in self.optimizers.values():
            one.after_backward()
        self.zeroed.after_backward(tensor for tensor, _ in self._ledger)

    def sources_of(self, optimizer: Optimizer) -> int:
        """Return the tensors of an optimizer that are sources, as a mask of bits."""
        mask = 0
        for held in held_by(optimizer):
            record = self._ledger.get(held.tensor)
            mask |= record.bit if record is not None else 0
        return mask

    def names_of(self, *optimizers: int) -> list[str]:
        """Return the classes of optimizers that have stepped, given by their ids."""
        known = [self.optimizers[one] for one in optimizers if one in self.optimizers]
        return sorted(one.name for one in known if one.optimizer() is not None)

    def _record_of(self, held: Held, optimizer: Optimizer) -> Record:
        """Return the record of a tensor, and note the optimizer that holds it."""
        record = self._ledger.of(held.tensor)
        record.note_holder(id(optimizer))
        record.group = record.group or held.name
        return record


_SKIPPED = "skipped by the scaler: a gradient is inf or nan"


@dataclass
class _Step:
    """A step that runs, and how many steps of base classes run inside it."""

    before: dict[int, _Before]
    depth: int = 0


class _Before:
    """A tensor before a step."""

    def __init__(self, held: Held, record: Record, optimizer: Optimizer) -> None:
        tensor = held.tensor
        self._held = held
        self._record = record
        self._reason = "" if tensor.requires_grad else _why_moved(optimizer, held)
        self._fingerprint = record.start = fingerprint(tensor)
        self._grad = _kind_of(tensor.grad)

    def compare(self, optimizer: Optimizer, *, had_gradients: bool) -> None:
        """Note what the step did to the tensor.

        ``had_gradients`` says whether a tensor of the optimizer had one.
        """
        tensor, record = self._held.tensor, self._record
        latest = record.latest
        record.note_gradient(tensor.grad)
        moved = has_changed(tensor, self._fingerprint)
        is_elsewhere = not local(tensor).numel()  # other processes have its numbers
        if (moved or is_elsewhere) and tensor.requires_grad and record.nonzero:
            record.trained, record.still = True, ""
        elif moved and not tensor.requires_grad:
            record.by_step = self._reason
        elif moved:
            record.by_step = "moved without a gradient"
        elif tensor.requires_grad and record.nonzero:
            grad = max(self._grad, _kind_of(tensor.grad))
            if grad == _ZERO and not latest:
                record.cancels = True
            else:
                record.still, record.is_normal = _why_still(optimizer, self._held, grad)
                # What is cleared for some tensors only, is cleared on purpose.
                record.is_normal |= grad == _NONE and had_gradients


_NONE, _ZERO, _NONZERO = range(3)


def _kind_of(grad: Tensor | None) -> int:
    if grad is None:
        return _NONE
    return _ZERO if is_zero(grad) else _NONZERO


def _why_still(optimizer: Optimizer, held: Held, grad: int) -> tuple[str, bool]:
    """Return why a step left a tensor as it was, and whether that is normal."""
    if grad == _NONE:
        return "its .grad was None at step(), though backward gave it one", False
    if grad == _ZERO:
        return "its .grad was 0 at step(), though backward gave it another", False
    tensor, _, group = held
    rate, full = group.get("lr"), group.get("initial_lr")
    if rate is not None and float(rate) == 0:
        if full is not None and float(full) > 0:
            return "lr is 0 in these steps: warm-up?", True
        return "its learning rate is 0", False
    if tensor.grad is not None and not _is_finite(tensor.grad):
        return _SKIPPED, False
    times = _rounded_away(optimizer, held)
    if times is None:
        return "skipped by step(): it has a gradient, and did not change", False
    if times == math.inf:
        if rate and full and float(rate) < float(full):
            return "rounded away at this rate: warm-up?", True
        return "its gradient is too small to change it in these steps", True
    kind = str(tensor.dtype).removeprefix("torch.")
    why = f"rounded away: its update is {math.ceil(times):,} times too small for {kind}"
    if rate and full and times * float(rate) < float(full):
        return f"{why} at this rate: warm-up?", True  # the full rate would change it
    return why, False


def _why_moved(optimizer: Optimizer, held: Held) -> str:
    """Return why a step moves a frozen tensor, if it does."""
    tensor, forces = held.tensor, []
    if tensor.grad is not None and not is_zero(tensor.grad):
        forces.append("its stale .grad is applied by step()")
    if isinstance(optimizer, LBFGS):
        forces.append("LBFGS moves all that it holds by its history")
    elif not all(map(is_zero, remembered(optimizer, tensor))):
        forces.append("momentum")
    if held.group.get("weight_decay"):
        forces.append("weight decay")
    return f"frozen, but {', '.join(forces) or 'step() moves it'}"


def _is_finite(grad: Tensor) -> bool:
    values = grad.coalesce().values() if grad.is_sparse else local(grad)
    return bool(torch.isfinite(values).all())


def _rounded_away(optimizer: Optimizer, held: Held) -> float | None:
    """Return how many times too small an update is for the dtype; None if it is not.

    It is infinite for an update that would change no number of float32.

    The step of PyTorch's class of optimizer is rehearsed with a copy of the tensor, and
    with one in double precision. For an optimizer that is not based on any of these,
    the update is taken to be as large as the rate times the gradient, or the rate.
    """
    tensor = held.tensor
    if not tensor.is_floating_point() or tensor.layout != torch.strided:
        return None
    kind = next(filter(is_of_torch, type(optimizer).__mro__))
    if local(tensor) is not tensor and kind.__name__ in _WHOLE:
        return None
    same = rehearse(kind, optimizer, [tensor])
    moves = not same_values(same[0], tensor) if same else False
    exact = rehearse(kind, optimizer, [tensor], torch.float64)
    values = local(tensor.detach()).double()
    if exact:
        update = (local(exact[0].detach()) - values).abs()
    else:
        rate = float(held.group.get("lr") or 0)
        largest = 0.0 if tensor.grad is None else float(local(tensor.grad).abs().max())
        update = torch.full_like(values, rate * max(1.0, largest))
    _, exponent = torch.frexp(values.abs().clamp_min(torch.finfo(tensor.dtype).tiny))
    half_unit = torch.finfo(tensor.dtype).eps / 2 * torch.exp2(exponent.double() - 1)
    ratio = float((half_unit / update).min())
    if moves:  # the next step of that class, by a little if only momentum has grown
        return math.inf if ratio > _BARELY else None
    if torch.finfo(tensor.dtype).bits > _HALF and float(update.max()) < _TINY:
        return math.inf  # as the gradient of a bias before a batch norm
    return ratio if 1 <= ratio < math.inf else None


_WHOLE = {"Adafactor", "Muon"}
"""Optimizers whose step needs all of a tensor, of which a process may have a part."""
_BARELY = 1 / 16
_HALF = 16
_TINY = torch.finfo(torch.float32).eps / 2
"""An update that float32 can't even add to 1."""
