"""Runs code, and restores the model, its gradients and the random numbers."""

import random
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from gradguide._changed import same_values
from gradguide._explain.paths import REGISTRIES
from gradguide._explain.sharding import sharded_modules
from gradguide._memory import storages


@contextmanager
def unchanged(model: nn.Module) -> Iterator["Snapshot"]:
    """Restore flags, gradients, values, modes, grad mode and random numbers.

    ``.grad`` is None while the block runs, so that a backward in it adds to no gradient
    of the caller.

    Yields:
        The snapshot. Call its ``copy_before_write`` before each write in place.
    """
    snapshot = Snapshot(model)
    flags = [(p, p.requires_grad, p.grad) for p in model.parameters()]
    modes = [(module, module.training) for module in model.modules()]
    grad_enabled = torch.is_grad_enabled()
    with _random_numbers(model):
        try:
            for parameter, _, _ in flags:
                parameter.grad = None
            yield snapshot
        finally:
            torch.set_grad_enabled(grad_enabled)
            if [id(p) for p in model.parameters()] != [id(p) for p, _, _ in flags]:
                for module in sharded_modules(model):
                    module.reshard()  # FSDP2 reshards the root only after a backward
            try:
                snapshot.restore()
            finally:
                for parameter, requires_grad, grad in flags:
                    if parameter.requires_grad != requires_grad:
                        parameter.requires_grad = requires_grad
                    parameter.grad = grad
                for module, training in modes:
                    module.training = training


class Snapshot:
    """The registered tensors and modules, and copies of the values that may change."""

    def __init__(self, model: nn.Module) -> None:
        self._registered = [
            _Registered(module)
            for module in model.modules()
            if not isinstance(module, torch.jit.ScriptModule)
        ]
        # All buffers are copied: native batch norm writes its statistics in C++, which
        # no TorchFunctionMode sees.
        self._copies: dict[int, tuple[Tensor, Tensor, Tensor]] = {}
        self._buffers = dict(model.named_buffers())
        for buffer in self._buffers.values():
            self._copy(buffer)
        self._model = model
        self._parameters: dict[int, list[Tensor]] | None = None
        for parameter in model.parameters():
            # A hook may step the optimizer during backward. The mode is off then, as
            # backward is itself a call that it handles.
            hooks = parameter._post_accumulate_grad_hooks  # noqa: SLF001
            if hooks or parameter._backward_hooks:  # noqa: SLF001
                self.copy_before_write(parameter)

    def copy_before_write(self, tensor: Tensor) -> None:
        """Copy the parameters that share memory with a tensor.

        Parameters are copied when they are written to, as copying all would be slow.
        """
        if self._parameters is None:
            self._parameters = {}
            for parameter in self._model.parameters():
                for address, _ in storages(parameter):
                    self._parameters.setdefault(address, []).append(parameter)
        for address, _ in storages(tensor):
            for owner in self._parameters.get(address, ()):
                self._copy(owner)

    def changed_names(self) -> set[str]:
        """Return the names of tensors whose values differ from the snapshot."""
        copies = self._copies
        buffers = {
            name
            for name, buffer in self._model.named_buffers()
            if name not in self._buffers
            or not same_values(copies[id(self._buffers[name])][2], buffer)
        }
        if self._parameters is None:
            return buffers
        return buffers | {
            name
            for name, parameter in self._model.named_parameters()
            if id(parameter) in copies
            and not same_values(copies[id(parameter)][2], parameter)
        }

    def restore(self) -> None:
        """Write back the copied values, and what was registered."""
        for tensor, data, copy in self._copies.values():
            with torch.inference_mode(tensor.is_inference()):
                if tensor.is_nested and same_values(copy, tensor):
                    continue
                if storages(tensor) != storages(data) or tensor.shape != data.shape:
                    tensor.data = data
                _overwrite(tensor, copy)
        for registered in self._registered:
            registered.restore()

    def _copy(self, tensor: Tensor) -> None:
        if id(tensor) not in self._copies:
            data = tensor.detach()
            self._copies[id(tensor)] = (tensor, data, data.clone())


class _Registered:
    """The parameters, buffers and modules that a module had, by name."""

    def __init__(self, module: nn.Module) -> None:
        # The public iterators leave out what is registered as None.
        self._attributes = vars(module)
        self._plain = dict(self._attributes)
        registries = map(self._attributes.__getitem__, REGISTRIES)
        self._before = [(names, dict(names)) for names in registries]

    def restore(self) -> None:
        for names, before in self._before:
            if list(map(id, names.values())) == list(map(id, before.values())):
                continue
            # A name that was plain may be registered now, or the other way round.
            for name in names.keys() - before.keys():
                if name in self._plain:
                    self._attributes[name] = self._plain[name]
            for name in before.keys() - self._plain.keys():
                self._attributes.pop(name, None)
            names.clear()
            names.update(before)


def _overwrite(tensor: Tensor, values: Tensor) -> None:
    """Write values through ``.data``, which does not raise the version counter.

    After a plain ``copy_``, a backward of an earlier forward would raise.
    """
    target = tensor.data
    if target.layout is torch.strided and not target.is_nested:
        for dim, stride in enumerate(target.stride()):
            if not stride and target.shape[dim] > 1:  # expanded: one number in memory
                target, values = target.narrow(dim, 0, 1), values.narrow(dim, 0, 1)
    target.copy_(values)


@contextmanager
def _random_numbers(model: nn.Module) -> Iterator[None]:
    """Restore the random numbers of PyTorch, Python and, if imported, NumPy."""
    numpy: Any = sys.modules.get("numpy")
    python_state = random.getstate()
    numpy_state = numpy.random.get_state() if numpy else None
    devices = {p.device for p in model.parameters() if p.device.type not in _NO_RNG}
    with ExitStack() as stack:
        stack.enter_context(torch.random.fork_rng(devices=[]))
        for device in devices:
            fork = torch.random.fork_rng([device], device_type=device.type)
            stack.enter_context(fork)
        try:
            yield
        finally:
            random.setstate(python_state)
            if numpy:
                numpy.random.set_state(numpy_state)


_NO_RNG = {"cpu", "meta"}
