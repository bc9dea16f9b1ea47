"""Reads from a tape why backward does not reach a parameter."""

from collections.abc import Iterable
from typing import NamedTuple

from torch import Tensor

from gradguide._blame import Cause
from gradguide._tape import Flow, Tape


class Verdict(NamedTuple):
    """What becomes of a parameter, why and where."""

    verdict: str
    why: str = ""
    where: str = ""


def verdicts(tape: Tape, roots: Iterable[Tensor], count: int) -> list[Verdict]:
    """Return why backward reaches none of the first ``count`` values of a tape.

    One sweep from the end to the start finds, for each value, the first cut on a way
    from it to the roots, and where its data left the tape.
    """
    ways = {value: _Way(None) for root in roots for value in tape.values(root)}
    exits = dict(tape.exits)
    read = tape.read | set(exits)
    for flow in reversed(tape.flows):
        read.update(flow.sources)
        live = [ways[target] for target in flow.targets if target in ways]
        gone = [exits[target] for target in flow.targets if target in exits]
        for source in flow.sources:
            for way in live:
                new = _along(flow, way)
                ways[source] = _worse(new, ways[source]) if source in ways else new
            for exit_ in gone:
                if exit_.hides or source not in exits:
                    exits[source] = exit_
    return [
        _verdict(
            is_read=value in read,
            way=ways.get(value),
            exit_=exits.get(value),
        )
        for value in range(count)
    ]


class _Way(NamedTuple):
    """The first cut on a way to the roots, and whether it leads through a parameter.

    What is written into a parameter goes on with it, as the parameter itself does: its
    own way is the direct one.
    """

    cut: Cause | None
    is_detour: bool = False

    @property
    def rank(self) -> int:
        if self.cut is None:
            return 0
        return 3 if self.cut.hides else 2 - self.is_detour


def _along(flow: Flow, way: _Way) -> _Way:
    """Return the cut on one way: the first, but a sure one rather than a maybe."""
    here, later = flow.cause, way.cut
    cut = later if here is None or (here.hides and later is not None) else here
    return _Way(cut, flow.is_detour or way.is_detour)


def _worse(new: _Way, old: _Way) -> _Way:
    """Return the cut of two ways: a maybe, as it may lead on; else the earlier."""
    return new if new.rank >= old.rank else old


def _verdict(*, is_read: bool, way: _Way | None, exit_: Cause | None) -> Verdict:
    if not is_read:
        return Verdict("unused", "never read in the forward")
    if way is not None:
        cut = way.cut
        if cut is None:
            return Verdict("unknown", "no cut was seen on its way to the loss")
        return Verdict("unknown" if cut.hides else "cut", cut.why, cut.where)
    if exit_ is None:
        return Verdict("unused", "its result never reaches the loss")
    if exit_.hides:
        return Verdict("unknown", exit_.why, exit_.where)
    return Verdict("unused", f"its result left PyTorch by {exit_.why}", exit_.where)
