"""Says what is remarkable about a training although its parameters train."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from gradguide._explain.optimizer import held_by
from gradguide._origins.where import Place, written
from gradguide._watch.names import and_more
from gradguide._watch.wrappers import never_called

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn

    from gradguide._watch.observer import Observer


def remarks(observer: Observer, modules: list[nn.Module]) -> Iterator[str]:
    """Yield what is no problem of one parameter, but may be a mistake.

    ``modules`` are all that are alive.
    """
    yield from _terms(observer)
    yield from _steps(observer)
    yield from _zeroed(observer)
    yield from _left_behind(observer)
    yield from _of_two_optimizers(observer)
    yield from _held_twice(observer)
    yield from _unfrozen(observer)
    yield from _in_eval(observer)
    yield from _outside_ddp(observer, modules)
    for place in observer.scaling.clipped:
        yield (
            f"clips gradients{_at(place)} while the scale of GradScaler is in them: "
            "unscale_() before it"
        )
    for place in observer.ledger.copied_into_itself:
        yield f"copies a tensor into itself{_at(place)}: from another one?"


def _terms(observer: Observer) -> Iterator[str]:
    for (place, why), cut in observer.terms.cut.items():
        yield f"a term that is added{_at(place)} gives no gradient: {why}{_at(cut)}"
    for (place, why), cut in observer.terms.elsewhere.items():
        yield (
            f"a term that is added{_at(place)} gives no gradient to what the steps "
            f"after it move: {why}{_at(cut)}"
        )


def _steps(observer: Observer) -> Iterator[str]:
    optimizers = observer.steps.optimizers.values()
    most = max((one.steps for one in optimizers), default=0)
    for one in optimizers:
        if one.mixes(most):
            yield (
                f"the step() of {one.name}{_at(one.where)} also applies gradients from "
                f"before the step(){_at(one.foreign)}: zero_grad() between them?"
            )
    for one in optimizers:
        if one.idle is not None and one.steps:
            yield f"the step() of {one.name}{_at(one.idle)} found no gradient"
    inputs = any(record.nonzero and not record.holder for _, record in observer.ledger)
    for one in () if inputs else optimizers:
        if one.is_often_lost:
            yield (
                f"the gradients for {one.name} of {one.lost} backwards were cleared "
                f"before its step(){_at(one.where)}"
            )
    for one in optimizers:
        if one.falls:
            yield (
                f"the learning rate of {one.name} falls from {max(one.rates):.2g} to "
                f"{one.rates[-1]:.2g} within {len(one.rates)} steps"
            )


def _zeroed(observer: Observer) -> Iterator[str]:
    for one in observer.steps.zeroed.moved.values():
        tensor = one.tensor()
        if tensor is not None:
            by = "a hook" if one.place is None else "the script"
            yield (
                f"{observer.roots.name_of(tensor)}: {by} sets entries of its gradient "
                f"to 0{_at(one.place)}, and {one.optimizer} moves these by {one.force}"
            )


def _left_behind(observer: Observer) -> Iterator[str]:
    """Say what trained until another optimizer took the place of its own."""
    optimizers = observer.steps.optimizers
    reached = {one: observer.backwards.connected_at_last(one) for one in optimizers}
    left: dict[tuple[str, str], list[str]] = {}
    for tensor, record in observer.ledger:
        own = optimizers.get(record.holder)
        if own is None or not record.trained or not tensor.requires_grad:
            continue
        for one, later in optimizers.items():
            is_after = own.last < later.first < later.last
            if is_after and reached[one] & record.bit:
                name = observer.roots.name_of(tensor)
                left.setdefault((own.name, later.name), []).append(name)
                break
    for (own_kind, kind), names in left.items():
        name = and_more(names[0], len(names))
        yield (
            f"{name}: trained by an earlier {own_kind}; the {kind} that "
            "steps since gets their gradients, but does not hold them"
        )


def _of_two_optimizers(observer: Observer) -> Iterator[str]:
    counts: Counter[tuple[str, ...]] = Counter()
    names: dict[tuple[str, ...], str] = {}
    for tensor, record in observer.ledger:
        if record.is_shared:
            optimizers = tuple(observer.steps.names_of(record.holder, record.other))
            counts[optimizers] += 1
            names.setdefault(optimizers, observer.roots.name_of(tensor))
    for optimizers, count in counts.items():
        name = and_more(names[optimizers], count)
        yield f"{name}: stepped by {' and by '.join(optimizers)}"


def _held_twice(observer: Observer) -> Iterator[str]:
    for one in observer.steps.optimizers.values():
        optimizer = one.optimizer()
        held = list(held_by(optimizer)) if optimizer is not None else []
        tensors = {id(each.tensor): each.tensor for each in held}
        counts = Counter(id(each.tensor) for each in held)
        twice = [tensors[key] for key, count in counts.items() if count > 1]
        if twice:
            name = and_more(observer.roots.name_of(twice[0]), len(twice))
            yield f"{name}: twice in {one.name}, whose step() moves it twice"


def _unfrozen(observer: Observer) -> Iterator[str]:
    for count, frozen, unfrozen in observer.flags.undone():
        what = "a tensor" if count == 1 else f"{count} tensors"
        yield (
            f"{what} frozen{_at(frozen)} and unfrozen{_at(unfrozen)}, "
            "before the first backward"
        )


def _in_eval(observer: Observer) -> Iterator[str]:
    for module, place, kinds in observer.roots.modes.in_eval():
        if _trains(observer, module):
            name = observer.roots.names.get(module) or type(module).__name__
            yield (
                f"{name} trains in eval mode{_at(place)}, which changes "
                f"{' and '.join(kinds)}: train() after the evaluation?"
            )


def _outside_ddp(observer: Observer, modules: list[nn.Module]) -> Iterator[str]:
    for module in never_called(modules):
        if _trains(observer, module):
            yield (
                f"{type(module).__name__} trains, but the DistributedDataParallel "
                "around it never runs: its gradients are not averaged. Call the "
                "wrapper, not its module"
            )


def _trains(observer: Observer, module: nn.Module) -> bool:
    """Whether a parameter of a module has moved by its gradient."""
    records = map(observer.ledger.get, module.parameters())
    return any(record.trained for record in records if record is not None)


def _at(place: Place | None) -> str:
    return f" at {written(place, {})}" if place is not None else ""
