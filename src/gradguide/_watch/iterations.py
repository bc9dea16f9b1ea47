"""Counts the iterations of a run, and says when enough of them were seen."""

from __future__ import annotations

from collections.abc import Callable
from weakref import ref

from torch.optim import Optimizer

from gradguide._alive import alive
from gradguide._explain.optimizer import held_by
from gradguide._watch.observer import Observer

PATIENCE = 20
"""How many steps of other optimizers to wait for one that steps less often, in all."""


class Iterations:
    """Calls a function after a number of iterations.

    An iteration is over when each optimizer in use has stepped or, after waiting long,
    when one steps twice; without any optimizer, at each backward after the first one.
    """

    def __init__(
        self, observer: Observer, count: int, enough: Callable[[], None]
    ) -> None:
        self._observer = observer
        self._count = count
        self._enough = enough
        self._done = 0
        self._waited = 0
        self._stepped: set[int] = set()
        self._optimizers: dict[int, ref[Optimizer]] = {}
        self._has_optimizer = False
        observer.after_step = self._after_step
        observer.after_backward = self._after_backward

    def summary(self) -> str:
        """Say how much was watched."""
        steps = self._observer.steps
        backwards = counted(self._observer.backwards.count, "backward")
        said = f"Watched {backwards}, {counted(steps.count, 'step')}"
        if len(steps.optimizers) > 1:
            said += f" of {len(steps.optimizers)} optimizers"
        if steps.skips:
            said += f", {counted(steps.skips, 'skipped step')}"
        return f"{said}."

    def _after_step(self, optimizer: Optimizer) -> None:
        if id(optimizer) in self._stepped:
            self._waited += 1
            if self._waited > PATIENCE:
                self._end_iteration()
        self._stepped.add(id(optimizer))
        if id(optimizer) not in self._optimizers:  # looking at each step takes time
            self._look_for_optimizers()
        if self._expected() <= self._stepped:
            self._end_iteration()

    def _after_backward(self) -> None:
        """End an iteration of a run that updates its parameters by hand."""
        observer = self._observer
        if observer.steps.count or observer.backwards.count == 1 or self._has_optimizer:
            return
        self._look_for_optimizers()
        self._has_optimizer = bool(self._unused_optimizers(set()))
        if not self._has_optimizer:
            observer.ledger.compare()
            if any(record.trained for _, record in observer.ledger):
                self._end_iteration()

    def _end_iteration(self) -> None:
        self._stepped.clear()
        self._done += 1
        if self._done >= self._count and not self._should_wait():
            self._enough()

    def _should_wait(self) -> bool:
        """Whether an optimizer has not stepped yet, or a scaler skipped all steps."""
        steps = self._observer.steps
        if steps.skips and not steps.count:
            return self._done < self._count + PATIENCE
        self._look_for_optimizers()
        unused = self._unused_optimizers(set(steps.optimizers))
        return bool(unused) and self._waited <= PATIENCE

    def _expected(self) -> set[int]:
        """Return the optimizers that step in each iteration, as far as is known."""
        known = {
            key
            for key, one in self._observer.steps.optimizers.items()
            if one.optimizer() is not None
        }
        return known | self._unused_optimizers(known)

    def _look_for_optimizers(self) -> None:
        self._optimizers = {id(one): ref(one) for one in alive().optimizers}

    def _unused_optimizers(self, known: set[int]) -> set[int]:
        """Return the optimizers that hold trainable tensors no other one holds.

        Those of wrappers, as accelerate has them, hold the tensors of another one.
        """
        found = [optimizer() for optimizer in self._optimizers.values()]
        optimizers = [optimizer for optimizer in found if optimizer is not None]
        taken = {
            id(held.tensor)
            for optimizer in optimizers
            if id(optimizer) in known
            for held in held_by(optimizer)
        }
        return {
            id(optimizer)
            for optimizer in optimizers
            if id(optimizer) not in known
            and any(
                held.tensor.requires_grad and id(held.tensor) not in taken
                for held in held_by(optimizer)
            )
        }


def counted(count: int, what: str) -> str:
    """Write a number of things, with the plural."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
