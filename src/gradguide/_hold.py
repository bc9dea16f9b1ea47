"""Holds a normalisation layer in eval mode, also after ``train()``."""

from torch import nn

NORMS = (
    nn.BatchNorm1d,
    nn.BatchNorm2d,
    nn.BatchNorm3d,
    nn.SyncBatchNorm,
    nn.InstanceNorm1d,
    nn.InstanceNorm2d,
    nn.InstanceNorm3d,
    # A lazy layer becomes one of those above at its first call, and keeps the hook.
    nn.LazyBatchNorm1d,
    nn.LazyBatchNorm2d,
    nn.LazyBatchNorm3d,
    nn.LazyInstanceNorm1d,
    nn.LazyInstanceNorm2d,
    nn.LazyInstanceNorm3d,
)


def has_stats(module: nn.Module) -> bool:
    """Whether a module is a normalisation layer with running statistics."""
    return isinstance(module, NORMS) and module.running_mean is not None


def hold(norm: nn.Module) -> None:
    """Put a layer in eval mode, now and at each call; a second call adds nothing."""
    norm.training = False
    if not is_held(norm):
        norm.register_forward_pre_hook(_stay_in_eval)


def release(norm: nn.Module) -> None:
    """Let a layer follow ``train()`` again; its mode stays as it is."""
    for key in _held_by(norm):
        del norm._forward_pre_hooks[key]  # noqa: SLF001 see _held_by


def is_held(norm: nn.Module) -> bool:
    """Whether ``hold`` is in force."""
    return bool(_held_by(norm))


def mode_around(norm: nn.Module, root: nn.Module) -> bool:
    """Return the training mode of the nearest module around a layer.

    The mode of the layer itself was set by ``hold``. For a layer that is the root, the
    result is True, so that its statistics are updated.
    """
    modules = dict(root.named_modules())
    name = next(name for name, module in modules.items() if module is norm)
    return not name or modules[name.rpartition(".")[0]].training


def _stay_in_eval(module: nn.Module, _: tuple[object, ...]) -> None:
    # A function at module level, which copy and pickle refer to by its name.
    if module.training:
        module.training = False


def _held_by(norm: nn.Module) -> list[int]:
    # PyTorch has no public list of hooks, and a handle is not valid in a deepcopy.
    hooks = norm._forward_pre_hooks  # noqa: SLF001
    return [key for key, hook in hooks.items() if hook is _stay_in_eval]
