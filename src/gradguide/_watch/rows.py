"""Makes the rows of a report on what was observed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from gradguide._alive import Alive
from gradguide._autograd import shape_of
from gradguide._explain.explain import is_frozen, parameters_around
from gradguide._explain.paths import paths_in
from gradguide._origins.where import written
from gradguide._report.row import NormalRow, Row
from gradguide._watch.fingerprint import has_changed
from gradguide._watch.judge import Judge
from gradguide._watch.ledger import Record
from gradguide._watch.names import and_more, outermost
from gradguide._watch.observer import Observer


def rows(observer: Observer, everything: Alive) -> list[Row]:
    """Return the rows of a report on what was observed."""
    return list(_Rows(observer, everything).rows())


class _Rows:
    """Chooses the tensors that a report is about, with their names."""

    def __init__(self, observer: Observer, everything: Alive) -> None:
        self._seen = observer
        self._ledger = observer.ledger
        self._modules = everything.modules
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
        self._judge = Judge(observer, everything, self._names)
        self._judge.attributes |= {
            id(parameter)
            for root, module in self._roots
            if self._is_in_container(root)
            for parameter in module.parameters()
        }

    def rows(self) -> Iterator[Row]:
        parameters = list(self._parameters())
        others = [*self._buffers(), *self._others(), *self._aliases(), *self._failed()]
        yield from self._nothing([*parameters, *others])
        yield from self._never_cleared()
        yield from parameters
        yield from others

    # Which tensors

    def _named_roots(self) -> list[tuple[str, nn.Module]]:
        """Return the modules to report, with their names."""
        roots = self._seen.roots.alive(self._modules)
        self._seen.roots.names.look_for(roots, None)
        counts: Counter[str] = Counter()
        named = []
        for module in roots:
            if not list(module.parameters()) and not list(module.buffers()):
                continue
            name = self._seen.roots.names.get(module) or type(module).__name__
            counts[name] += 1
            named.append(
                (name if counts[name] == 1 else f"{name}_{counts[name]}", module)
            )
        return named

    def _is_in_container(self, name: str) -> bool:
        """Whether a root is in a plain list or dictionary of another one."""
        return any(
            name.startswith(f"{root}.") and "[" in name.removeprefix(root)
            for root, _ in self._roots
        )

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
        orphans = {
            t.shape for t, r in others if r.holder and self._judge.is_orphan(t, r)
        }
        # An attribute of a module is no input, nor is what took an orphan's place.
        self._judge.attributes |= {
            id(tensor)
            for tensor, record in others
            if id(tensor) in paths or (tensor.shape in orphans and not record.holder)
        }
        made_anew: dict[tuple[str, ...], list[Row]] = {}
        for number, (tensor, record) in enumerate(others):
            if not record.holder and not self._is_of_interest(tensor, record):
                continue
            name = record.group or paths.get(id(tensor))
            name = name or self._seen.roots.names.get(tensor)
            name = name or f"tensor {number} of shape {shape_of(tensor)}"
            row = self._row(name, tensor, "optimizer" if record.holder else "tensor")
            if row.verdict == "trains" and name.startswith("tensor "):
                continue  # of a module that is gone
            if record.holder and self._judge.is_orphan(tensor, record):
                why = "held by the optimizer, not by the model"
                row = row._replace(verdict="orphan", why=why, where="")
            elif row.verdict == "unregistered" and name.startswith("tensor "):
                line = row.where.partition(" in ")[0]
                made_anew.setdefault((row.why, line), []).append(row)
                continue
            yield row
        for (_, line), alike in made_anew.items():
            yield _joined(alike, line)

    def _is_of_interest(self, tensor: Tensor, record: Record) -> bool:
        """Whether a tensor in no module and no optimizer is worth a row."""
        if not record.nonzero or record.trained:
            return False
        return not self._seen.is_copy(tensor)

    # What becomes of them

    def _row(self, name: str, tensor: Tensor, kind: str) -> Row:
        found = self._judge.judge(tensor, self._ledger.of(tensor))
        return (NormalRow if found.is_normal else Row)(
            name,
            found.verdict,
            found.why,
            written(found.where, self._paths),
            0 if is_lazy(tensor) else tensor.numel(),
            kind,
        )

    # What else is said

    def _aliases(self) -> Iterator[Row]:
        """Yield the frozen tensors of other modules that share memory with others."""
        known = {id(part) for _, root in self._roots for part in root.modules()}
        others = [module for module in self._modules if id(module) not in known]
        for module in outermost(others, self._modules):
            tensors = list(module.named_parameters())
            if not any(
                self._judge.shared_with(tensor) is not None for _, tensor in tensors
            ):
                continue
            self._seen.roots.names.look_for([module], None)
            root = self._seen.roots.names.get(module) or type(module).__name__
            for path, tensor in tensors:
                if id(tensor) not in self._names and not tensor.requires_grad:
                    yield self._row(f"{root}.{path}", tensor, "parameter")

    def _buffers(self) -> Iterator[Row]:
        """Yield the buffers that the forward of a frozen module has changed."""
        for root, model in self._roots:
            for name, buffer in model.named_buffers():
                known = self._seen.hooks.buffers.get(id(buffer))
                if known is None or known[0]() is not buffer:
                    continue
                path = name.rpartition(".")[0]
                if not has_changed(buffer, known[1]) or not is_frozen(model, path):
                    continue
                around = parameters_around(model, path)
                records = [self._ledger.get(p) for p in around]
                if any(r and (r.by_hand or r.trained) for r in records):
                    continue  # an average, whose statistics move too
                why = "frozen, but the forward updates this buffer"
                yield Row(f"{root}.{name}", "moves", why, "", buffer.numel(), "buffer")

    def _failed(self) -> Iterator[Row]:
        for failure in self._seen.backwards.failures:
            where = written(failure.where, self._paths)
            yield Row(failure.name, "failed", failure.why, where, 0, "run")

    def _never_cleared(self) -> Iterator[Row]:
        """Yield the optimizers whose steps apply old gradients again."""
        why = "no zero_grad() between its steps: each applies the old gradients too"
        for one in self._seen.steps.optimizers.values():
            if one.is_never_cleared:
                where = written(one.where, self._paths)
                yield Row(one.name, "never cleared", why, where, 0, "run")

    def _nothing(self, all_rows: list[Row]) -> Iterator[Row]:
        """Say that nothing trains, if no parameter moved by its gradient."""
        parameters = [row for row in all_rows if row.kind != "run"]
        is_unknown = all(row.verdict == "unknown" for row in parameters)
        is_certain = all(row.verdict in _NEVER for row in parameters)
        ran = self._judge.has_iterated()
        if is_unknown or not (ran or (self._seen.backwards.count and is_certain)):
            return
        if any(record.trained for _, record in self._ledger):
            return  # also what has no row, as its module is gone
        if not any(
            row.verdict == "trains" or isinstance(row, NormalRow) for row in parameters
        ):
            why = "no parameter moved by its gradient in what was watched"
            yield Row("*", "nothing trains", why, "", 0, "run")


def _joined(alike: list[Row], line: str) -> Row:
    """Return one row for tensors without names that one line of the forward reads."""
    first = alike[0]
    if len(alike) == 1:
        return first
    name = and_more(first.name, len(alike))
    numel = sum(row.numel for row in alike)
    return first._replace(name=name, where=line, numel=numel)


_NEVER = {"frozen", "cut", "unused"}
"""The verdicts on what no backward gives a gradient."""
