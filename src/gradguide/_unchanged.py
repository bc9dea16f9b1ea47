"""Runs code and leaves the model, its gradients and the random numbers as they were."""

import random
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from gradguide._autograd import storages
from gradguide._changed import same_values
from gradguide._sharding import sharded_modules


@contextmanager
def unchanged(model: nn.Module) -> Iterator["Memory"]:
    """Restore flags, gradients, buffers, modes, grad mode and random numbers.

    Gradients are taken away for as long as the block runs, so that a backward in it
    adds to nothing.

    Yields:
        The memory. Its ``keep`` is to be called before a tensor is written to in place.
    """
    memory = Memory(model)
    flags = [(p, p.requires_grad, p.grad) for p in model.parameters()]
    modes = [(module, module.training) for module in model.modules()]
    grad_enabled = torch.is_grad_enabled()
    with _random_numbers(model):
        try:
            for parameter, _, _ in flags:
                parameter.grad = None
            yield memory
        finally:
            torch.set_grad_enabled(grad_enabled)
            if [id(p) for p in model.parameters()] != [id(p) for p, _, _ in flags]:
                for module in sharded_modules(model):
                    module.reshard()  # without a backward, the outermost is not
            memory.restore()
            for parameter, requires_grad, grad in flags:
                if parameter.requires_grad != requires_grad:
                    parameter.requires_grad = requires_grad
                parameter.grad = grad
            for module, training in modes:
                module.training = training


class Memory:
    """The values of all buffers, and of the parameters that are written to."""

    def __init__(self, model: nn.Module) -> None:
        # Native batch norm writes its statistics where no mode sees it: copy them all.
        self._owners = [
            (module, name, buffer)
            for module in model.modules()
            for name, buffer in module.named_buffers(recurse=False)
        ]
        self._kept: dict[int, tuple[Tensor, Tensor, Tensor]] = {}
        for _, _, buffer in self._owners:
            self._copy(buffer)
        self._model = model
        self._parameters: dict[int, list[Tensor]] | None = None

    def keep(self, tensor: Tensor) -> None:
        """Copy the parameters in the memory of a tensor that will be written to.

        Copying all parameters first would be slow.
        """
        if self._parameters is None:
            self._parameters = {}
            for parameter in self._model.parameters():
                for address, _ in storages(parameter):
                    self._parameters.setdefault(address, []).append(parameter)
        for address, _ in storages(tensor):
            for owner in self._parameters.get(address, ()):
                self._copy(owner)

    def moved(self) -> set[str]:
        """Return the names of what has other values than at first."""
        kept = self._kept
        buffers = {
            name
            for name, buffer in self._model.named_buffers()
            if id(buffer) not in kept or not same_values(kept[id(buffer)][2], buffer)
        }
        if self._parameters is None:
            return buffers
        return buffers | {
            name
            for name, parameter in self._model.named_parameters()
            if id(parameter) in kept
            and not same_values(kept[id(parameter)][2], parameter)
        }

    def restore(self) -> None:
        """Write everything back; through ``.data``, which counts no version.

        A plain ``copy_`` would break a backward that the user still has pending.
        """
        for tensor, data, copy in self._kept.values():
            with torch.inference_mode(tensor.is_inference()):
                if tensor.data_ptr() != data.data_ptr():
                    tensor.data = data
                tensor.data.copy_(copy)
        for module, name, buffer in self._owners:
            if getattr(module, name, None) is not buffer:
                setattr(module, name, buffer)

    def _copy(self, tensor: Tensor) -> None:
        if id(tensor) not in self._kept:
            data = tensor.detach()
            self._kept[id(tensor)] = (tensor, data, data.clone())


@contextmanager
def _random_numbers(model: nn.Module) -> Iterator[None]:
    """Restore the random numbers of PyTorch, Python and, where in use, NumPy."""
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
