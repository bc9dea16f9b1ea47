"""Finds the attribute paths of tensors that a model holds but does not register."""

from collections.abc import Iterable, Iterator

from torch import Tensor, nn

from gradguide._alive import Alive, alive
from gradguide._autograd import shape_of
from gradguide._explain.optimizer import held_by


def with_paths(model: nn.Module, tensors: list[Tensor]) -> list[tuple[str, Tensor]]:
    """Return tensors with their paths, as ``blocks[1].weight``, in the model's order.

    A tensor that no attribute of the model leads to is named by its shape, at the end.
    It is left out if another module registers it and an optimizer holds it: it belongs
    to a second network, which trains.
    """
    if not tensors:
        return []
    paths = _paths(model, {id(tensor) for tensor in tensors})
    if any(id(tensor) not in paths for tensor in tensors):
        second = _second_networks(alive())
        tensors = [t for t in tensors if id(t) in paths or id(t) not in second]
    order = {key: place for place, key in enumerate(paths)}
    return [
        (paths.get(id(tensor), f"tensor of shape {shape_of(tensor)}"), tensor)
        for tensor in sorted(tensors, key=lambda t: order.get(id(t), len(order)))
    ]


def _second_networks(process: Alive) -> set[int]:
    """Return the ids of the parameters of modules that some optimizer holds."""
    held = {id(held.tensor) for one in process.optimizers for held in held_by(one)}
    modules = process.modules
    return held & {id(p) for m in modules for p in m.parameters(recurse=False)}


def paths_in(
    roots: Iterable[tuple[str, nn.Module]], wanted: set[int]
) -> dict[int, str]:
    """Return the paths of tensors that attributes of some named modules lead to."""
    found: dict[int, str] = {}
    for name, module in roots:
        for key, path in _paths(module, wanted).items():
            if key in wanted:
                found.setdefault(key, f"{name}.{path}")
    return found


def _paths(model: nn.Module, wanted: set[int]) -> dict[int, str]:
    """Return the paths by ``id``, of the wanted tensors that an attribute leads to."""
    paths = {id(buffer): name for name, buffer in model.named_buffers()}
    paths |= {id(parameter): name for name, parameter in model.named_parameters()}
    seen = {id(module) for module in model.modules()}
    for path, module in model.named_modules():
        for name, value in vars(module).items():
            if name not in _REGISTERED:
                around = f"{path}.{name}" if path else name
                for where, tensor in _tensors(value, around, seen, 5):
                    if id(tensor) in wanted:
                        paths.setdefault(id(tensor), where)
    return paths


_REGISTERED = {"_parameters", "_buffers", "_modules"}


def _tensors(
    value: object, path: str, seen: set[int], depth: int
) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors inside a value, with their paths."""
    if isinstance(value, Tensor):
        yield path, value
        return
    if not depth or id(value) in seen:
        return
    for step, part in _parts(value):
        seen.add(id(value))
        yield from _tensors(part, f"{path}{step}", seen, depth - 1)


def _parts(value: object) -> Iterable[tuple[str, object]]:
    """Return the parts of a value, each with the step of the path to it."""
    if isinstance(value, nn.Module):
        return [(f".{name}", p) for name, p in value.named_parameters()]
    if isinstance(value, dict):
        return [(f"[{key!r}]", part) for key, part in value.items()]
    if isinstance(value, (list, tuple)):
        return [(f"[{index}]", part) for index, part in enumerate(value)]
    if hasattr(value, "__dict__") and not isinstance(value, type):
        return [(f".{name}", part) for name, part in vars(value).items()]
    return []
