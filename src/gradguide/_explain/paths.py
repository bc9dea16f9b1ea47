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


REGISTRIES = ("_modules", "_parameters", "_buffers")
"""The attributes of a module with what it registers."""


def _paths(model: nn.Module, wanted: set[int]) -> dict[int, str]:
    """Return the paths by ``id``, of the wanted tensors that an attribute leads to."""
    paths = {id(buffer): name for name, buffer in model.named_buffers()}
    paths |= {id(parameter): name for name, parameter in model.named_parameters()}
    seen = {id(module) for module in model.modules()}
    for path, module in model.named_modules():
        for name, value in vars(module).items():
            if name not in REGISTRIES:
                around = f"{path}.{name}" if path else name
                for where, tensor in _tensors(value, around, seen, 5):
                    if id(tensor) in wanted:
                        paths.setdefault(id(tensor), where)
    return paths


def _tensors(
    value: object, path: str, seen: set[int], depth: int
) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors inside a value, with their paths."""
    if isinstance(value, Tensor):
        yield path, value
        return
    if not depth or id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, nn.Module):
        yield from ((f"{path}.{name}", p) for name, p in value.named_parameters())
        return
    for step, part in parts_of(value):
        yield from _tensors(part, f"{path}{step}", seen, depth - 1)


def parts_of(value: object) -> Iterator[tuple[str, object]]:
    """Yield the parts of a value, each with the step of the path to it."""
    if isinstance(value, dict):
        yield from ((f"[{key!r}]", part) for key, part in list(value.items()))
    elif isinstance(value, (list, tuple)):
        yield from ((f"[{index}]", part) for index, part in enumerate(value))
    elif hasattr(value, "__dict__") and not isinstance(value, type):
        yield from ((f".{name}", part) for name, part in list(vars(value).items()))
