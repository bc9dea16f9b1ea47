"""Finds in the recorded operations why backward does not reach a parameter."""

from collections.abc import Iterable
from typing import NamedTuple

from torch import Tensor

from gradguide._blame import Cause
from gradguide._tape import Flow, Tape


class Verdict(NamedTuple):
    """The verdict on a parameter, with its reason and the line of its cause."""

    verdict: str
    why: str = ""
    where: str = ""


def verdicts(tape: Tape, roots: Iterable[Tensor], count: int) -> list[Verdict]:
    """Return a verdict on each of the first ``count`` values, the parameters.

    One pass over the operations, from the last to the first, finds for each value the
    first cut on its path to the roots, and the call by which its data left PyTorch.
    """
    paths = {value: _Path(None) for root in roots for value in tape.values(root)}
    exits = dict(tape.exits)
    read = tape.read | set(exits)
    for flow in reversed(tape.flows):
        read.update(flow.sources)
        target_paths = [paths[target] for target in flow.targets if target in paths]
        target_exits = [exits[target] for target in flow.targets if target in exits]
        for source in flow.sources:
            for path in target_paths:
                new = _extended(flow, path)
                paths[source] = (
                    _to_report(new, paths[source]) if source in paths else new
                )
            for exit_ in target_exits:
                if exit_.inconclusive or source not in exits:
                    exits[source] = exit_
    return [
        _verdict(
            is_read=value in read,
            path=paths.get(value),
            exit_=exits.get(value),
        )
        for value in range(count)
    ]


class _Path(NamedTuple):
    """The first cut on a path to the roots.

    A path is a detour if data was written in place into another parameter on it. That
    parameter has its own, direct path, whose cut is the one to report.
    """

    cut: Cause | None
    is_detour: bool = False

    @property
    def rank(self) -> int:
        if self.cut is None:
            return 0
        return 3 if self.cut.inconclusive else 2 - self.is_detour


def _extended(flow: Flow, path: _Path) -> _Path:
    """Return a path that begins with one more operation.

    Its cut is the first one, unless that is inconclusive and there is a later one.
    """
    here, later = flow.cause, path.cut
    cut = later if here is None or (here.inconclusive and later is not None) else here
    return _Path(cut, flow.is_detour or path.is_detour)


def _to_report(new: _Path, old: _Path) -> _Path:
    """Return the path to report: an inconclusive one, else the earlier of two cuts."""
    return new if new.rank >= old.rank else old


def _verdict(*, is_read: bool, path: _Path | None, exit_: Cause | None) -> Verdict:
    if not is_read:
        return Verdict("unused", "never read in the forward")
    if path is not None:
        cut = path.cut
        if cut is None:
            return Verdict("unknown", "no cut was seen on its way to the loss")
        return Verdict("unknown" if cut.inconclusive else "cut", cut.why, cut.where)
    if exit_ is None:
        return Verdict("unused", "its result never reaches the loss")
    if exit_.inconclusive:
        return Verdict("unknown", exit_.why, exit_.where)
    return Verdict("unused", f"its result left PyTorch by {exit_.why}", exit_.where)
