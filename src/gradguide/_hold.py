"""Holds the layers whose forward writes to their own tensors.

Batch norms and their like, and spectral norm, are held in eval mode, also after
``train()``. Embeddings with ``max_norm`` get a limit on their output in place of one on
their weight.
"""

from collections.abc import Mapping
from itertools import chain
from typing import TypeGuard

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding_bag
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.utils.parametrizations import _SpectralNorm

Embedding = nn.Embedding | nn.EmbeddingBag


def has_stats(module: nn.Module) -> bool:
    """Whether a module is a normalisation layer with running statistics."""
    # All such layers of PyTorch inherit from this class, and so do those of others.
    return isinstance(module, _NormBase) and module.running_mean is not None


def learns_in_training(module: nn.Module) -> bool:
    """Whether each forward in training mode updates buffers, and one in eval mode none.

    Spectral norm so improves its estimate of the norm by which it divides a weight.
    """
    return has_stats(module) or isinstance(module, _SpectralNorm)


def has_max_norm(module: nn.Module) -> TypeGuard[Embedding]:
    """Whether a module is an embedding whose forward shortens its rows, if not held."""
    if not isinstance(module, Embedding):
        return False
    return module.max_norm is not None or is_held(module)


def can_limit(embedding: Embedding) -> bool:
    """Whether ``hold`` can limit the output: not behind a forward of another class."""
    known = (nn.Embedding.forward, nn.EmbeddingBag.forward)
    return type(embedding).forward in known


def hold(layer: nn.Module) -> None:
    """Keep a layer from writing, now and at each call; a second call adds nothing."""
    if learns_in_training(layer):
        layer.training = False
        if not is_held(layer):
            layer.register_forward_pre_hook(_stay_in_eval)
    elif has_max_norm(layer) and layer.max_norm is not None:
        limit = _Limit(layer.max_norm)
        layer.register_forward_hook(limit, prepend=True, with_kwargs=True)
        layer.max_norm = None


def release(layer: nn.Module) -> None:
    """Let a layer write again; its mode stays as it is."""
    # PyTorch has no public list of hooks, and a handle is not valid in a deepcopy.
    before, after = layer._forward_pre_hooks, layer._forward_hooks  # noqa: SLF001
    for key in [key for key, hook in before.items() if hook is _stay_in_eval]:
        del before[key]
    for key, hook in list(after.items()):
        if isinstance(hook, _Limit) and isinstance(layer, Embedding):
            del after[key]
            del layer._forward_hooks_with_kwargs[key]  # noqa: SLF001
            layer.max_norm = hook.max_norm


def is_held(layer: nn.Module) -> bool:
    """Whether ``hold`` is in force."""
    before, after = layer._forward_pre_hooks, layer._forward_hooks  # noqa: SLF001
    return any(
        hook is _stay_in_eval or isinstance(hook, _Limit)
        for hook in chain(before.values(), after.values())
    )


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


class _Limit:
    """A forward hook that shortens the rows that an embedding returns.

    An embedding with ``max_norm`` shortens the rows of its weight in place before it
    reads them. Here the copies of the rows are shortened, by the same kernel.
    """

    def __init__(self, max_norm: float) -> None:
        self.max_norm = max_norm

    def __call__(
        self,
        layer: Embedding,
        args: tuple[Tensor, ...],
        kwargs: Mapping[str, Tensor],
        output: Tensor,
    ) -> Tensor:
        if isinstance(layer, nn.EmbeddingBag):
            return self._bag(layer, *args, **kwargs)
        rows = output.reshape(-1, output.shape[-1])
        self._shorten(rows, layer.norm_type)
        return rows.view(output.shape)

    def _shorten(self, rows: Tensor, norm_type: float) -> None:
        every = torch.arange(len(rows), device=rows.device)
        torch.embedding_renorm_(rows.detach(), every, self.max_norm, norm_type)

    def _bag(
        self,
        layer: nn.EmbeddingBag,
        input: Tensor,  # noqa: A002 the name of the argument of ``forward``
        offsets: Tensor | None = None,
        per_sample_weights: Tensor | None = None,
    ) -> Tensor:
        flat = input.reshape(-1)
        rows, padding = layer.weight[flat], layer.padding_idx
        self._shorten(rows, layer.norm_type)
        places = torch.arange(len(flat), device=flat.device)
        if padding is not None:
            places = places.where(flat != padding, len(flat))
            rows = torch.cat([rows, rows.new_zeros(1, rows.shape[1])])
        return embedding_bag(
            places.view_as(input),
            rows,
            offsets,
            mode=layer.mode,
            per_sample_weights=per_sample_weights,
            include_last_offset=layer.include_last_offset,
            padding_idx=None if padding is None else len(flat),
        )
