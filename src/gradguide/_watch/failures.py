"""Explains a backward that raised, and functions that give no gradient."""

from __future__ import annotations

from traceback import walk_tb
from typing import TYPE_CHECKING, Any, NamedTuple

from torch import Tensor
from torch.autograd import Function, grad
from torch.autograd.graph import Node

from gradguide._autograd import leaves, nodes, tensors_in, walk_from
from gradguide._origins.where import Place, code_of, is_hidden

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


class Failure(NamedTuple):
    """A backward that raised because of a custom autograd function.

    Attributes:
        name: The class of the function.
        why: What is wrong with it.
        where: The line that raised, or the one that called ``apply``.
        behind: The ids of the leaves whose gradients had to come through it.
        is_missing: Whether it has no backward at all.
    """

    name: str
    why: str
    where: Place | None
    behind: frozenset[int]
    is_missing: bool = False


def failure_of(
    error: Exception,
    roots: Iterable[Tensor],
    calls: Mapping[type, Place | None],
    name_of: Callable[[Tensor], str],
) -> Failure | None:
    """Explain why a backward raised, if a custom function is to blame.

    ``calls`` are the lines that called the functions.
    """
    custom = [(node, kind) for node in nodes(roots) if (kind := _kind_of(node))]
    if isinstance(error, NotImplementedError):
        for node, kind in custom:
            if kind.backward is Function.backward and kind.vjp is Function.vjp:
                why, name = f"{kind.__name__} has no backward", kind.__name__
                behind = _behind(node)
                return Failure(name, why, calls.get(kind), behind, is_missing=True)
        return None
    for node, kind in custom:
        if f"unction {kind.__name__}Backward returned" in str(error):
            why = f"{kind.__name__}.backward: {str(error).splitlines()[0]}"
            return Failure(kind.__name__, why, calls.get(kind), _behind(node))
    codes = {code_of(kind.backward): (node, kind) for node, kind in custom}
    place, found = None, None
    for frame, line in walk_tb(error.__traceback__):
        code = frame.f_code
        found = codes.get(code, found)
        if found and not is_hidden(code.co_filename):
            place = Place(code.co_filename, line)
    if found is None:
        return None
    node, kind = found
    why = f"{kind.__name__}.backward raised: {str(error).splitlines()[0]}"
    names = ", ".join(map(name_of, frozen_that_grad_was_asked_for(error)))
    if names:
        why = f"{kind.__name__}.backward asks for gradients of {names}: frozen"
    return Failure(kind.__name__, why, place, _behind(node))


def frozen_that_grad_was_asked_for(error: BaseException) -> list[Tensor]:
    """Return the frozen tensors whose gradients ``torch.autograd.grad`` refused."""
    frozen = []
    for frame, _ in walk_tb(error.__traceback__):
        if frame.f_code is grad.__code__:
            inputs = tensors_in(frame.f_locals.get("inputs"))
            frozen = [tensor for tensor in inputs if not tensor.requires_grad]
    return frozen


def functions_without_gradient(
    roots: Iterable[Tensor], lost: set[int], calls: Mapping[type, Place | None]
) -> dict[int, tuple[str, Place | None]]:
    """Return, for leaves without a gradient, the function whose backward gave None."""
    found: dict[int, tuple[str, Place | None]] = {}
    for node in nodes(roots):
        kind = _kind_of(node)
        if kind is not None:
            why = f"{kind.__name__}.backward returned None for it"
            for key in _behind(node) & lost:
                found[key] = (why, calls.get(kind))
    return found


def _kind_of(node: Node) -> Any:  # noqa: ANN401 a subclass of Function, or None
    return getattr(type(node), "_forward_cls", None)


def _behind(node: Node) -> frozenset[int]:
    """Return the ids of the leaves behind a node."""
    return frozenset(map(id, leaves(walk_from([node]))))
