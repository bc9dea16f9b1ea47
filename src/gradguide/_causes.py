"""Reads from a tape why backward does not reach a parameter."""

from collections.abc import Iterable
from typing import NamedTuple

from torch import Tensor

from gradguide._blame import Cause
from gradguide._tape import Tape


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
    cuts: dict[int, Cause | None] = dict.fromkeys(
        value for root in roots for value in tape.values(root)
    )
    exits = dict(tape.exits)
    read = set(exits)
    for flow in reversed(tape.flows):
        read.update(flow.sources)
        live = [cuts[target] for target in flow.targets if target in cuts]
        gone = [exits[target] for target in flow.targets if target in exits]
        for source in flow.sources:
            for cut in live:
                new = _along(flow.cause, cut)
                cuts[source] = _worse(new, cuts[source]) if source in cuts else new
            for exit_ in gone:
                if exit_.hides or source not in exits:
                    exits[source] = exit_
    return [
        _verdict(
            is_read=value in read,
            is_live=value in cuts,
            cut=cuts.get(value),
            exit_=exits.get(value),
        )
        for value in range(count)
    ]


def _along(here: Cause | None, later: Cause | None) -> Cause | None:
    """Return the cut on one way: the first, but a sure one rather than a maybe."""
    if here is None or (here.hides and later is not None):
        return later
    return here


def _worse(new: Cause | None, old: Cause | None) -> Cause | None:
    """Return the cut of two ways: a maybe, as it may lead on; else the earlier."""
    if new is None or (old is not None and old.hides):
        return old
    return new


def _verdict(
    *, is_read: bool, is_live: bool, cut: Cause | None, exit_: Cause | None
) -> Verdict:
    if not is_read:
        return Verdict("unused", "never read in the forward")
    if is_live:
        if cut is None:
            return Verdict("unknown", "no cut was seen on its way to the loss")
        return Verdict("unknown" if cut.hides else "cut", cut.why, cut.where)
    if exit_ is None:
        return Verdict("unused", "its result never reaches the loss")
    if exit_.hides:
        return Verdict("unknown", exit_.why, exit_.where)
    return Verdict("unused", f"its result left PyTorch by {exit_.why}", exit_.where)
