"""Freezes parts of a module so that training leaves them unchanged, and undoes it."""

from torch import nn

from gradguide._autograd import is_inference
from gradguide._frozen import Before, Frozen
from gradguide._hold import (
    Embedding,
    can_limit,
    has_max_norm,
    hold,
    is_held,
    mode_around,
    release,
)
from gradguide._select import select


def freeze(module: nn.Module, *patterns: str, stats: bool = True) -> Frozen:
    """Freeze parameters, and the running statistics of their layers, against training.

    Each matched parameter gets ``requires_grad=False`` and ``.grad=None``. Both are
    needed: the optimizers of ``torch.optim`` read ``.grad``, not ``requires_grad``, and
    would apply a gradient that was left behind.

    Normalisation layers whose parameters are then all frozen stop updating their
    running statistics and normalise with them, even after ``module.train()``. These are
    all layers that inherit from PyTorch's batch, instance or sync batch norm, or from
    the base class of these. The parametrization ``spectral_norm`` keeps its estimate,
    too, so that the weight that it computes stays the same.

    An embedding with ``max_norm`` shortens rows of its weight in each forward, even
    when it is frozen and in eval mode. While ``freeze`` holds it, the rows of its
    output are shortened instead: the output is the same, and the weight does not
    change. Its attribute ``max_norm`` is None during that time.

    Statistics and ``max_norm`` are held by hooks: the keys of ``state_dict()`` stay as
    they are, and the hooks survive ``copy.deepcopy`` and pickling. They run when the
    layer is called, not when its ``forward`` is called directly. Freeze before
    ``torch.compile``, or call ``torch.compiler.reset()`` afterwards.
    ``torch.jit.script`` can't compile the hooks.

    It does not change the optimizer. The parameters may stay in it: the optimizers of
    ``torch.optim`` skip a parameter without a gradient. ``LBFGS`` does not, so create
    it again. A parameter can still change if your code or the layer's own forward
    writes to it. ``freeze`` does not stop dropout, updates of other buffers, or
    gradients that flow through the frozen part to the layers before it.

    Args:
        module: The module to freeze, or a module that contains what to freeze.
        *patterns: What to freeze: the name of a parameter, the name of a module
            (``"layer1"`` stands for all of ``layer1``, and does not match
            ``layer10``), or a glob over either (``"*.bias"``). Without patterns:
            everything.
        stats: Whether normalisation layers keep their running statistics, too, and
            spectral norm its estimate. A layer without parameters of its own is
            matched by its own name or that of a module around it.

    Returns:
        A ``Frozen`` object with the names of what was frozen. The freeze is in force
        already. ``undo()``, or the end of a ``with`` block, restores everything. As
        long as the object exists, the gradients that it removed still occupy memory.

    Raises:
        ValueError: If a pattern matches no parameter and, with ``stats``, no
            running statistics. Nothing is frozen then.
        RuntimeError: If a matched parameter is the result of an operation, as it is
            inside ``torch.func.functional_call``, or if it is the weight of an
            embedding with ``max_norm`` whose class has a ``forward`` of its own.
            Nothing is frozen then.
        TypeError: If ``module`` is not a module, or a pattern is not a string.

    Examples:
        >>> import torch
        >>> from torch import nn
        >>> from gradguide import freeze
        >>> model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
        >>> frozen = freeze(model, "0", "1")
        >>> frozen.names
        ('0.weight', '0.bias', '1.weight', '1.bias')
        >>> frozen.stats
        ('1',)

        The statistics don't change, even in training mode:

        >>> output = model.train()(torch.ones(8, 3))
        >>> model[1].num_batches_tracked.item()
        0

        Freeze for a while only:

        >>> frozen.undo()
        >>> with freeze(model):
        ...     any(parameter.requires_grad for parameter in model.parameters())
        False
        >>> all(parameter.requires_grad for parameter in model.parameters())
        True

        A name that does not exist:

        >>> freeze(model, "3")
        Traceback (most recent call last):
        ...
        ValueError: freeze: '3' matches no parameter of Sequential; its parts are \
'0', '1', '2'
    """
    parameters, norms = select(module, patterns, caller="freeze", stats=stats)
    _require_leaves(module, parameters)
    chosen = {id(parameter) for parameter in parameters.values()}
    held = {
        name: norm
        for name, norm in norms.items()
        if all(not p.requires_grad or id(p) in chosen for p in norm.parameters())
    }
    embeddings = _embeddings(module, chosen)
    _require_known_forward(module, embeddings)
    layers = held | embeddings
    before = Before(module, parameters, layers)
    try:
        for parameter in parameters.values():
            parameter.requires_grad = False
            parameter.grad = None
        for layer in layers.values():
            hold(layer)
    except BaseException:
        before.restore()
        raise
    return Frozen(tuple(parameters), tuple(held), before)


def unfreeze(module: nn.Module, *patterns: str) -> tuple[str, ...]:
    """Unfreeze parameters, and let running statistics be updated again.

    A normalisation layer that ``freeze`` held takes the training mode of the module
    around it: if that module is training, its statistics are updated again from the
    next forward on. An embedding gets its ``max_norm`` back.

    It does not add anything to an optimizer: an optimizer that was created with only
    the trainable parameters does not hold these. It does not restore gradients.

    Args:
        module: The module to unfreeze, or a module that contains what to unfreeze.
        *patterns: What to unfreeze, as in ``freeze``. Without patterns: everything.

    Returns:
        The names of the parameters that matched, as in ``named_parameters()``.
        Integer parameters (of quantized layers) can't train and are left out.

    Raises:
        ValueError: If a pattern matches no parameter and no running statistics, or
            if only integer parameters match. Nothing is changed then.
        RuntimeError: If a matched parameter was made under
            ``torch.inference_mode()``. Nothing is changed then.
        TypeError: If ``module`` is not a module, or a pattern is not a string.

    Examples:
        >>> from torch import nn
        >>> from gradguide import freeze, unfreeze
        >>> model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
        >>> frozen = freeze(model)
        >>> unfreeze(model, "1")
        ('1.weight', '1.bias')
        >>> [parameter.requires_grad for parameter in model.parameters()]
        [False, False, True, True]
        >>> unfreeze(model, "1.wieght")
        Traceback (most recent call last):
        ...
        ValueError: unfreeze: '1.wieght' matches no parameter of Sequential; did you \
mean '1.weight'?
    """
    matched, norms = select(module, patterns, caller="unfreeze", stats=True)
    names = tuple(
        name for name, p in matched.items() if p.is_floating_point() or p.is_complex()
    )
    if matched:
        _require_trainable(module, matched, names)
    for name in names:
        matched[name].requires_grad = True
    for norm in norms.values():
        if is_held(norm):
            release(norm)
            norm.training = mode_around(norm, module)
    for embedding in _embeddings(module, set(map(id, matched.values()))).values():
        release(embedding)
    return names


def _embeddings(module: nn.Module, chosen: set[int]) -> dict[str, Embedding]:
    """Return the embeddings with ``max_norm`` whose weight is chosen, by its ``id``."""
    return {
        name: layer
        for name, layer in module.named_modules()
        if has_max_norm(layer) and any(id(p) in chosen for p in layer.parameters())
    }


def _require_known_forward(module: nn.Module, embeddings: dict[str, Embedding]) -> None:
    for name, layer in embeddings.items():
        if not can_limit(layer):
            where = f"{name!r} of {type(module).__name__}" if name else "the module"
            msg = (
                f"freeze: {where} is a {type(layer).__name__} with max_norm, and its "
                "own forward would write to its frozen weight; set its max_norm to "
                "None before"
            )
            raise RuntimeError(msg)


def _require_leaves(module: nn.Module, parameters: dict[str, nn.Parameter]) -> None:
    for name, parameter in parameters.items():
        if not parameter.is_leaf:
            msg = (
                f"freeze: {name!r} of {type(module).__name__} is the result of an "
                "operation, and only a leaf can be frozen; freeze before "
                "functional_call, or detach() the tensor that you pass to it"
            )
            raise RuntimeError(msg)


def _require_trainable(
    module: nn.Module, matched: dict[str, nn.Parameter], trainable: tuple[str, ...]
) -> None:
    if not trainable:
        unable = next(iter(matched))
        msg = (
            f"unfreeze: {unable!r} of {type(module).__name__} holds "
            f"{matched[unable].dtype}, and only floating point and complex parameters "
            "can train; dequantize it, or train other parameters beside it"
        )
        raise ValueError(msg)
    for name in trainable:
        if is_inference(matched[name]):
            msg = (
                f"unfreeze: {name!r} of {type(module).__name__} was made under "
                "torch.inference_mode() and can never train; build or load the model "
                "outside of it"
            )
            raise RuntimeError(msg)
