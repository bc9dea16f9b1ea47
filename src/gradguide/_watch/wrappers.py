"""Finds what goes wrong with a module inside of DistributedDataParallel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch.nn.parallel import DistributedDataParallel

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from torch import nn

    from gradguide._watch.flags import Flags


def frozen_after_wrapping(modules: Iterable[nn.Module], flags: Flags) -> set[int]:
    """Return the ids of parameters that were frozen after DDP had wrapped them."""
    late: set[int] = set()
    for module in modules:
        if not isinstance(module, DistributedDataParallel):
            continue
        ignored = set(module.parameters_to_ignore)
        inside = [p for n, p in module.module.named_parameters() if n not in ignored]
        frozen = [p for p in inside if not p.requires_grad]
        data: Any = module._get_ddp_logging_data()  # type: ignore[no-untyped-call]  # noqa: SLF001
        count = data.get("num_parameter_tensors", 0) - len(inside) + len(frozen)
        seen = [p for p in frozen if flags.was_frozen(p)]
        if count > 0:
            late |= set(map(id, (seen if len(seen) >= count else frozen)[-count:]))
    return late


def never_called(modules: Iterable[nn.Module]) -> Iterator[nn.Module]:
    """Yield the modules whose DDP has never run its forward."""
    for module in modules:
        is_wrapper = isinstance(module, DistributedDataParallel)
        if is_wrapper and not getattr(module, "_lazy_init_ran", True):
            yield module.module  # type: ignore[misc]
