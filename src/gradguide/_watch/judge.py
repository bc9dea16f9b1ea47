"""Judges from what was observed what becomes of each tensor, and why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.nn.parameter import is_lazy

from gradguide._autograd import pieces, shape_of
from gradguide._explain.evidence import hides_operations
from gradguide._explain.explain import is_frozen
from gradguide._explain.paths import paths_in
from gradguide._origins.blame import Cause
from gradguide._origins.uses import Verdict
from gradguide._origins.where import Place, written
from gradguide._report.row import NormalRow, Row
from gradguide._watch.fingerprint import has_changed
from gradguide._watch.ledger import Record
from gradguide._watch.names import alive, outermost
from gradguide._watch.observer import Observer


class Judgement(NamedTuple):
    """What is said of one tensor."""

    verdict: str
    why: str = ""
    where: Place | None = None
    is_normal: bool = False


def rows(observer: Observer) -> list[Row]:
    """Return the rows of a report on what was observed."""
    return list(_Judge(observer).rows())


class _Judge:
    """Knows all that was observed, and the names of modules and tensors."""

    def __init__(self, observer: Observer) -> None:
        self._seen = observer
        self._ledger = observer.ledger
        self._modules, optimizers = alive()
        self._roots = self._named_roots()
        self._names = {
            id(tensor): f"{root}.{path}"
            for root, module in reversed(self._roots)
            for path, tensor in reversed(list(module.named_parameters()))
        }
        self._paths = {
            id(part): f"{root}.{path}" if path else root
            for root, module in reversed(self._roots)
            for path, part in module.named_modules()
        }
        self._held = {
            id(tensor): optimizer
            for optimizer in optimizers
            for group in optimizer.param_groups
            for tensor in group["params"]
        }
        self._copies = self._copies_that_learn()
        self._late = self._frozen_after_wrapping()
        self._trained: dict[int, Tensor] = {}
        for tensor, record in self._ledger:
            if record.trained:
                self._trained |= {p.data_ptr(): tensor for p in pieces(tensor)}

    def rows(self) -> Iterator[Row]:
        parameters = list(self._parameters())
        others = [*self._buffers(), *self._others(), *self._aliases(), *self._failed()]
        yield from self._nothing([*parameters, *others])
        yield from parameters
        yield from others

    # Which tensors

    def _named_roots(self) -> list[tuple[str, nn.Module]]:
        """Return the modules to report, with their names."""
        roots = self._seen.roots(self._modules)
        self._seen.names.look_for(roots, None)
        counts: dict[str, int] = {}
        named = []
        for module in roots:
            if not list(module.parameters()) and not list(module.buffers()):
                continue
            name = self._seen.names.get(module) or type(module).__name__
            counts[name] = counts.get(name, 0) + 1
            named.append((name if counts[name] == 1 else f"{name}_{counts[name]}", module))
        return named

    def _parameters(self) -> Iterator[Row]:
        for root, module in self._roots:
            for path, tensor in module.named_parameters():
                name = f"{root}.{path}"
                if self._names[id(tensor)] == name:
                    yield self._row(name, tensor, "parameter")

    def _others(self) -> Iterator[Row]:
        """Yield the tensors that are in none of the modules."""
        others = [
            (tensor, record)
            for tensor, record in self._ledger
            if id(tensor) not in self._names
        ]
        paths = paths_in(self._roots, {id(tensor) for tensor, _ in others})
        for number, (tensor, record) in enumerate(others):
            if not record.holder and not self._is_of_interest(tensor, record):
                continue
            name = record.group or paths.get(id(tensor))
            name = name or self._seen.names.get(tensor)
            name = name or f"tensor {number} of shape {shape_of(tensor)}"
            row = self._row(name, tensor, "optimizer" if record.holder else "tensor")
            if row.verdict == "trains" and name.startswith("tensor "):
                continue  # of a module that is gone
            if record.holder and self._is_orphan(tensor, record):
                why = "held by the optimizer, not by the model"
                row = row._replace(verdict="orphan", why=why, where="")
            yield row

    def _is_of_interest(self, tensor: Tensor, record: Record) -> bool:
        """Whether a tensor in no module and no optimizer is worth a row."""
        if not record.nonzero or record.trained:
            return False
        return not self._seen.is_copy(tensor)

    def _is_orphan(self, tensor: Tensor, record: Record) -> bool:
        if not tensor.requires_grad or record.bit:
            return False
        return not record.has_gradient and not record.read_frozen

    # What becomes of them

    def _row(self, name: str, tensor: Tensor, kind: str) -> Row:
        record = self._ledger.get(tensor) or self._ledger.of(tensor)
        judgement = self._judge(tensor, record)
        return (NormalRow if judgement.is_normal else Row)(
            name,
            judgement.verdict,
            judgement.why,
            written(judgement.where, self._paths),
            0 if is_lazy(tensor) else tensor.numel(),
            kind,
        )

    def _judge(self, tensor: Tensor, record: Record) -> Judgement:
        if not tensor.requires_grad and not self._trains_at_times(tensor, record):
            return self._of_frozen(tensor, record)
        if record.trained:
            return Judgement("trains")
        if record.nonzero:
            return self._of_gradient(tensor, record)
        if record.has_gradient:
            return self._of_zero(tensor, record)
        return self._without_gradient(tensor, record)

    def _trains_at_times(self, tensor: Tensor, record: Record) -> bool:
        """Whether a tensor trains that is frozen now, as a GAN does with its critic."""
        return record.trained and not record.by_step and id(tensor) not in self._late

    def _of_frozen(self, tensor: Tensor, record: Record) -> Judgement:
        if id(tensor) in self._late:
            _, place = self._seen.frozen_at.get(id(tensor), (None, None))
            why = "DDP still waits for its gradient: freeze before wrapping"
            return Judgement("frozen after DDP", why, place)
        if record.by_step:
            return Judgement("moves", record.by_step)
        shared = self._shared_with(tensor)
        if shared is not None:
            name = self._names.get(id(shared)) or "a tensor"
            why = f"frozen, but shares its memory with {name}, which trains"
            return Judgement("moves", why)
        if record.by_hand:
            average = self._average_of(tensor, record)
            if average:
                return Judgement("frozen", average)
            if record.in_forward:
                why = "frozen, but the forward writes to this parameter"
                return Judgement("moves", why, record.written)
            return Judgement("moves", "frozen, but written by hand", record.written)
        return Judgement("frozen", "" if tensor.grad is None else "stale .grad")

    def _of_gradient(self, tensor: Tensor, record: Record) -> Judgement:
        if record.still:
            return Judgement("still", record.still, is_normal=record.is_normal)
        if record.by_hand:
            return Judgement("trains")
        if record.holder:
            return Judgement("unknown", "no step has run since it has a gradient")
        holder = self._held.get(id(tensor))
        if not self._seen.has_iterated(by_hand=holder is None):
            return Judgement("unknown", "no step has run")
        why = "gets a gradient that nobody applies"
        if holder is not None:
            why += f": the step() of its {type(holder).__name__} never ran"
        if holder is not None or id(tensor) in self._names:
            return Judgement("not in optimizer", why)
        if isinstance(tensor, nn.Parameter):
            why = "reached by the loss, but not a parameter of the model"
            return Judgement("unregistered", why)
        why = "gets a gradient that nobody applies: an input?"
        return Judgement("unknown", why)

    def _of_zero(self, tensor: Tensor, record: Record) -> Judgement:
        if not record.holder:
            return Judgement("frozen", "its gradient is zero; no optimizer holds it")
        for other, behind in self._seen.behind.items():
            if behind & record.bit and (name := self._zero_that_trains(other)):
                why = f"its gradient is zero as long as {name} is"
                return Judgement("zero", why, is_normal=True)
        return Judgement("zero", "its gradient is exactly zero")

    def _zero_that_trains(self, bit: int) -> str:
        for tensor, record in self._ledger:
            if record.bit == bit and record.was_zero and record.nonzero:
                return self._names.get(id(tensor)) or self._seen.name_of(tensor)
        return ""

    def _without_gradient(self, tensor: Tensor, record: Record) -> Judgement:
        average = self._average_of(tensor, record) if record.by_hand else ""
        if average:
            return Judgement("frozen", average)
        reason = self._why_no_gradient(tensor, record)
        if record.by_hand:
            return Judgement("trains", "written by hand", record.written)
        if reason.verdict == "unknown" or record.holder or id(tensor) in self._held:
            return Judgement(*reason)
        if not self._held:
            return Judgement(*reason)
        why = f"{reason.why}; no optimizer holds it"
        return Judgement("frozen", why, reason.where)

    def _why_no_gradient(self, tensor: Tensor, record: Record) -> Verdict:
        if not self._seen.backwards and not self._seen.steps.counts:
            return Verdict("unknown", "no backward has run")
        for failure in self._seen.failures:
            if failure.is_missing and id(tensor) in failure.behind:
                return Verdict("cut", failure.why, failure.where)
        if id(tensor) in self._seen.without:
            return Verdict("cut", *self._seen.without[id(tensor)])
        if not record.bit and record.read_frozen:
            why = "requires_grad was False when it was read"
            return Verdict("cut", why, record.read_frozen)
        if self._is_hidden(tensor):
            return Verdict("unknown", "what runs in other threads or in TorchScript")
        verdict = self._verdict(record)
        if verdict.verdict == "unknown" and self._seen.failures:
            return Verdict("unknown", "backward raised before it reached it")
        return verdict

    def _verdict(self, record: Record) -> Verdict:
        """Return the verdict of the tape, by the losses before the step if it can be."""
        before = self._seen.reached_before.get(record.holder, {})
        is_known = any(mask & record.bit for mask in before.values())
        reached = before if is_known else self._seen.reached
        return self._seen.uses.verdict(record.bit, reached, self._copies)

    def _copies_that_learn(self) -> list[tuple[int, Cause]]:
        """Return the sources whose copies got gradients."""
        return [
            (mask, cause)
            for copy, mask, cause in self._seen.copies
            if (tensor := copy()) is not None
            and (record := self._ledger.get(tensor))
            and record.nonzero
        ]

    def _is_hidden(self, tensor: Tensor) -> bool:
        if self._seen.saw_threads:
            return True
        return any(
            any(p is tensor for p in module.parameters())
            for module in self._modules
            if hides_operations(module)
        )

    def _shared_with(self, tensor: Tensor) -> Tensor | None:
        """Return a tensor that trains and overlaps in memory with a frozen one."""
        for piece in pieces(tensor):
            other = self._trained.get(piece.data_ptr())
            if other is not None and other is not tensor and _overlap(tensor, other):
                return other
        return None

    def _average_of(self, tensor: Tensor, record: Record) -> str:
        """Say that a tensor was written from others that train, as an average is."""
        mask = 0
        for part in self._seen.origins(tensor).values():
            mask |= part
        mask &= ~record.bit
        for other, known in self._ledger:
            if known.bit & mask and known.trained:
                name = self._names.get(id(other)) or self._seen.name_of(other)
                return f"copied or averaged from {name}"
        return ""

    # What else is said

    def _aliases(self) -> Iterator[Row]:
        """Yield frozen tensors of other modules that share memory with one that trains."""
        known = {id(part) for _, root in self._roots for part in root.modules()}
        others = [module for module in self._modules if id(module) not in known]
        for module in outermost(others, self._modules):
            tensors = list(module.named_parameters())
            if not any(self._shared_with(tensor) is not None for _, tensor in tensors):
                continue
            self._seen.names.look_for([module], None)
            root = self._seen.names.get(module) or type(module).__name__
            for path, tensor in tensors:
                if id(tensor) not in self._names and not tensor.requires_grad:
                    yield self._row(f"{root}.{path}", tensor, "parameter")

    def _buffers(self) -> Iterator[Row]:
        """Yield the buffers that the forward of a frozen module has changed."""
        for root, model in self._roots:
            for name, buffer in model.named_buffers():
                known = self._seen.buffers.get(id(buffer))
                if known is None or known[0]() is not buffer:
                    continue
                path = name.rpartition(".")[0]
                if not has_changed(buffer, known[1]) or not is_frozen(model, path):
                    continue
                module = model.get_submodule(path)
                around = list(module.parameters()) or list(model.parameters())
                records = [self._ledger.get(p) for p in around]
                if any(r and (r.by_hand or r.trained) for r in records):
                    continue  # an average, whose statistics move too
                why = "frozen, but the forward updates this buffer"
                yield Row(f"{root}.{name}", "moves", why, "", buffer.numel(), "buffer")

    def _failed(self) -> Iterator[Row]:
        for failure in self._seen.failures:
            where = written(failure.where, self._paths)
            yield Row(failure.name, "failed", failure.why, where, 0, "run")

    def _nothing(self, all_rows: list[Row]) -> Iterator[Row]:
        """Say that nothing trains, if no parameter moved by its gradient."""
        parameters = [row for row in all_rows if row.kind != "run"]
        is_frozen = all(row.verdict == "frozen" for row in parameters)
        ran = self._seen.has_iterated(by_hand=not self._held)
        if not parameters or not (ran or (self._seen.backwards and is_frozen)):
            return
        if not any(row.verdict == "trains" or isinstance(row, NormalRow) for row in parameters):
            why = "no parameter moved by its gradient in what was watched"
            yield Row("*", "nothing trains", why, "", 0, "run")

    def _frozen_after_wrapping(self) -> set[int]:
        """Return the parameters that were frozen after DDP had wrapped their module."""
        late: set[int] = set()
        for module in self._modules:
            if not isinstance(module, DistributedDataParallel):
                continue
            ignored = set(module.parameters_to_ignore)
            inside = [p for n, p in module.module.named_parameters() if n not in ignored]
            frozen = [p for p in inside if not p.requires_grad]
            data: dict[str, Any] = module._get_ddp_logging_data()  # noqa: SLF001
            count = data.get("num_parameter_tensors", 0) - len(inside) + len(frozen)
            seen = [p for p in frozen if id(p) in self._seen.frozen_at]
            if count > 0:
                late |= set(map(id, (seen if len(seen) >= count else frozen)[-count:]))
        return late


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
