"""Keeps the state before a freeze, and restores it."""

import re
import warnings
from types import TracebackType
from typing import Self

import torch
from torch import Tensor, nn

from gradguide._autograd import is_inference
from gradguide._hold import hold, is_held, learns_in_training, release


class Frozen:
    """The names of what ``freeze`` froze, and a method that undoes it.

    ``undo()``, or the end of a ``with`` block, restores each ``requires_grad``, each
    ``.grad`` and each training mode, even after an exception. What was frozen before
    stays frozen. Undo several freezes in the reverse order.

    Frozen parameters may have been replaced in the meantime, for example by
    ``load_state_dict(assign=True)``, ``to_empty()`` or a parametrization. New
    parameters that inherited the freeze are then found by their names and unfrozen.
    They get no ``.grad``, because the old one belongs to other values. If a new
    parameter can't be recognised by its name, it stays frozen, and a ``UserWarning``
    names it.

    Attributes:
        names: The parameters that matched, as in ``named_parameters()``. Tied
            parameters count as one, under their first name.
        stats: The modules whose running statistics are held.

    Examples:
        >>> from torch import nn
        >>> from gradguide import freeze
        >>> with freeze(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))) as frozen:
        ...     frozen
        Frozen(names=('0.weight', '0.bias', '1.weight', '1.bias'), stats=('1',))
        >>> frozen.undo()  # undone already: nothing happens
        >>> with frozen:
        ...     pass
        Traceback (most recent call last):
        ...
        RuntimeError: with Frozen: this freeze was undone already; call freeze again
    """

    def __init__(
        self, names: tuple[str, ...], stats: tuple[str, ...], before: "Before"
    ) -> None:
        """Keep what ``undo()`` needs; ``freeze`` calls this."""
        self.names = names
        self.stats = stats
        self._before: Before | None = before

    def undo(self) -> None:
        """Restore everything as it was; a second call does nothing."""
        self._undo()

    def _undo(self) -> None:
        if self._before is None:
            return
        warning = self._before.restore()
        self._before = None
        if warning:
            warnings.warn(warning, stacklevel=3)  # the line of ``undo()`` or ``with``

    def __enter__(self) -> Self:
        """Return itself: the freeze is in force already."""
        if self._before is None:
            msg = "with Frozen: this freeze was undone already; call freeze again"
            raise RuntimeError(msg)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Undo the freeze, whether the block ended well or not."""
        self._undo()

    def __repr__(self) -> str:
        """Show what is frozen, or was until ``undo()``."""
        end = "" if self._before else ", undone"
        return f"Frozen(names={self.names}, stats={self.stats}{end})"


class Before:
    """The ``requires_grad``, gradients and training modes before a freeze."""

    def __init__(
        self,
        module: nn.Module,
        parameters: dict[str, nn.Parameter],
        layers: dict[str, nn.Module],
    ) -> None:
        """Remember parameters that will be frozen and layers that will be held."""
        self._module = module
        self._parameters = [(p, p.requires_grad, p.grad) for p in parameters.values()]
        self._layers = [
            (name, layer, layer.training, is_held(layer))
            for name, layer in layers.items()
        ]
        # Each name of a tied parameter, as it may have a parameter of its own later.
        flags = {id(p): p.requires_grad for p in parameters.values()}
        named = module.named_parameters(remove_duplicate=False)
        self._flags = {name: flags.get(id(p), False) for name, p in named}

    def restore(self) -> str:
        """Restore these parameters and layers, and what took their place since.

        Return a warning about what could not be restored, or an empty string.
        """
        modules = dict(self._module.named_modules(remove_duplicate=False))
        for name, layer, training, was_held in self._layers:
            if was_held:
                hold(layer)
            else:
                release(layer)
                release(modules.get(name, layer))
            for norm in filter(learns_in_training, (layer, modules.get(name, layer))):
                norm.training = training
        for parameter, requires_grad, _ in self._parameters:
            # Only in inference mode can requires_grad of an inference tensor be set.
            with torch.inference_mode(is_inference(parameter)):
                parameter.requires_grad = requires_grad
        for parameter, _, grad in self._parameters:
            parameter.grad = None if grad is None else _fitting(grad, parameter)
        return self._unfreeze_replaced()

    def _unfreeze_replaced(self) -> str:
        # They get no ``.grad``: the one of before belongs to other values.
        named = dict(self._module.named_parameters(remove_duplicate=False))
        own = {id(parameter) for parameter, _, _ in self._parameters}
        frozen = {
            name: parameter
            for name, parameter in named.items()
            if not parameter.requires_grad and id(parameter) not in own
        }
        gone = [
            name for name, flag in self._flags.items() if flag and name not in named
        ]
        places = {_place(name) for name in gone}
        unknown = []
        for name, parameter in frozen.items():
            if self._flags.get(name, _place(name) in places):
                if parameter.is_floating_point() or parameter.is_complex():
                    parameter.requires_grad = not is_inference(parameter)
            elif name not in self._flags:
                unknown.append(name)
        missing = places.difference(map(_place, named))
        if missing and unknown and not own <= {id(p) for p in named.values()}:
            return _warning(self._module, missing, unknown)
        return ""


def _place(name: str) -> str:
    """Return the name of a parameter without what PyTorch adds to compute it anew."""
    name = re.sub(r"\bparametrizations\.(\w+)\..*", r"\1", name)
    return re.sub(r"_(orig|g|v)$", "", name)  # of prune, spectral_norm and weight_norm


def _fitting(grad: Tensor, parameter: nn.Parameter) -> Tensor | None:
    """Return a gradient as a parameter takes it, or None if their shapes differ.

    The module may have been cast or moved since; PyTorch would have cast or moved its
    gradients, too.
    """
    if grad.shape != parameter.shape:
        return None
    if (grad.dtype, grad.device) != (parameter.dtype, parameter.device):
        return grad.to(parameter)
    return grad


def _warning(module: nn.Module, gone: set[str], frozen: list[str]) -> str:
    shown = ", ".join(map(repr, frozen[:3])) + (", …" if frozen[3:] else "")
    return (
        f"undo: {len(gone)} frozen parameters of {type(module).__name__}, such as "
        f"{min(gone)!r}, were replaced by others with other names; still frozen: "
        f"{shown}. If they are to train: unfreeze(module, {shown})"
    )
