"""Explains what will happen to each parameter, why, and at which line."""

from collections.abc import Callable, Iterable, Iterator
from inspect import signature

from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer

from gradguide._autograd import Loss, is_inference
from gradguide._explain.evidence import Evidence, from_function, from_tensor
from gradguide._explain.optimizer import HeldTensors
from gradguide._explain.sharding import is_unsharded
from gradguide._hold import has_stats, is_held
from gradguide._origins.where import written
from gradguide._report.report import Report
from gradguide._report.row import Row
from gradguide._saved import require_tensors
from gradguide._select import require_module


def explain(
    model: nn.Module,
    loss: Loss | Callable[[], object] | Optimizer | None = None,
    optimizer: Optimizer | None = None,
    *,
    gradients: bool = False,
) -> Report:
    """Tell what will happen to each parameter, why, and which line is the cause.

    The more you pass, the more it can tell:

    - the model alone: which parameters are frozen. ``trains`` then means only that
      nothing was found that prevents it;
    - an optimizer: which parameters it holds, and which frozen ones its next
      ``step()`` would change;
    - a loss: which parameters the backward pass reaches;
    - a function that computes the loss: why the others are not reached.

    The function is run once, in the current grad mode. Afterwards the parameters,
    buffers and submodules of ``model``, their ``requires_grad``, gradients and training
    modes, the global random numbers of PyTorch, Python and NumPy, and the grad mode are
    as before. Other state is not restored: an optimizer, a second network and its batch
    norm, a ``torch.Generator`` of your own, a counter.

    The model is not trained. If one of two paths from a parameter to the loss is cut,
    the backward pass still reaches it by the other, and the verdict is ``trains``;
    ``graph`` shows both. A custom function is assumed to give its inputs a gradient. If
    the function runs code in other threads, a parameter that seems unused is
    ``unknown``.

    Args:
        model: The module whose parameters are explained.
        loss: A function without arguments that computes the loss, or the loss. A loss
            is a tensor, or a tuple, list or dict of tensors, of any shape. You may
            pass the optimizer here instead.
        optimizer: The optimizer in its state before the next ``step()``.
        gradients: Whether to run one more backward pass, to find gradients that are
            exactly zero. The ``.grad`` of the parameters stays as it is. If you pass a
            loss tensor, results in its graph that retain their gradient get one. A loss
            with several elements is summed.

    Returns:
        A row for each parameter, in the model's order. Then rows for buffers that
        change although their module is frozen, for tensors outside of the model that
        the loss depends on (without those of a second module that an optimizer holds),
        and for tensors outside of the model that the optimizer holds. ``problems`` has
        the rows that need your attention.

    Raises:
        TypeError: If ``model`` is not a module, ``optimizer`` not an optimizer, the
            loss holds no tensor, or the function needs arguments.
        ValueError: If ``gradients`` is asked for without a loss, or a function is to
            be run on a model with lazy parameters.

    Examples:
        >>> import torch
        >>> from torch import nn
        >>> from gradguide import explain
        >>> model = nn.ModuleDict({"body": nn.Linear(3, 4), "head": nn.Linear(4, 1)})
        >>> x = torch.ones(8, 3)
        >>> def loss():
        ...     features = model["body"](x)
        ...     return model["head"](features.detach()).sum()
        >>> report = explain(model, loss)
        >>> [(row.name, row.verdict, row.why) for row in report.problems]
        [('body.weight', 'cut', 'detach()'), ('body.bias', 'cut', 'detach()')]
        >>> _ = model["body"].requires_grad_(False)
        >>> explain(model, loss).problems == ()
        True

        Parameters that the optimizer does not hold:

        >>> optimizer = torch.optim.SGD(model["body"].parameters(), lr=0.1)
        >>> explain(model, loss, optimizer)
        0 of 4 parameters train: 2 frozen, 2 not in optimizer
        frozen            body.*  16
        not in optimizer  head.*   5  gets a gradient that nobody applies

        A number has no graph:

        >>> explain(model, lambda: loss().item())
        Traceback (most recent call last):
        ...
        TypeError: explain: the function's result: expected a tensor, or a tuple, \
list or dict of tensors, got float; pass the loss before item() or detach()
    """
    require_module(model, "explain")
    if isinstance(loss, Optimizer) and optimizer is None:
        loss, optimizer = None, loss
    if optimizer is not None:
        _require_optimizer(optimizer)
    if loss is None and gradients:
        msg = (
            "explain: gradients=True needs a loss to run backward from; pass the "
            "function that computes it"
        )
        raise ValueError(msg)
    evidence = _gather(model, loss, gradients=gradients)
    # No optimizer holds the unsharded parameters of FSDP2, so it is left out then.
    held = None
    if optimizer is not None and not is_unsharded(model):
        held = HeldTensors(optimizer)
    named = dict(model.named_parameters())
    rows = [
        *_parameters(model, named, evidence, held),
        *_buffers(model, named, evidence),
        *_unregistered(model, evidence),
        *(_optimizer_only(named.values(), evidence, held) if held else ()),
    ]
    return Report(rows)


def _require_optimizer(optimizer: object) -> None:
    if hasattr(optimizer, "param_groups"):
        return
    cure = "pass the object whose step() you call"
    if isinstance(optimizer, dict) and "optimizer" in optimizer:
        cure = 'pass its "optimizer"'
    elif isinstance(optimizer, (list, tuple)):
        cure = "pass one of them, or watch a real iteration: gradguide.watch()"
    msg = (
        "explain: expected a torch.optim.Optimizer, got "
        f"{type(optimizer).__name__}; {cure}"
    )
    raise TypeError(msg)


def _gather(model: nn.Module, loss: object, *, gradients: bool) -> Evidence:
    if loss is None:
        return Evidence()
    if callable(loss):
        _require_no_arguments(loss)
        return from_function(model, loss, gradients=gradients)
    require_tensors(loss, "explain")
    return from_tensor(model, loss, gradients=gradients)


def _require_no_arguments(function: Callable[..., object]) -> None:
    code = function.forward if isinstance(function, nn.Module) else function
    try:
        needed = signature(code).parameters.values()
    except ValueError:  # a function in C has no signature
        return
    names = [
        parameter.name
        for parameter in needed
        if parameter.default is parameter.empty
        and parameter.kind not in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}
    ]
    if names:
        kind = type(function).__name__
        msg = (
            "explain: expected a function without arguments that computes the loss, "
            f"got a {kind} that needs {', '.join(names)}; write "
            "explain(model, lambda: criterion(model(x), y))"
        )
        raise TypeError(msg)


def _parameters(
    model: nn.Module,
    named: dict[str, nn.Parameter],
    evidence: Evidence,
    held: HeldTensors | None,
) -> Iterator[Row]:
    paths = {id(module): path for path, module in model.named_modules()}
    frozen = [p for p in named.values() if not p.requires_grad]
    frozen_but_updated = held.frozen_but_updated(frozen) if held else {}
    for name, parameter in named.items():
        key = id(parameter)
        verdict, why, where = "trains", "", ""
        if key in frozen_but_updated:
            verdict, why = "moves", frozen_but_updated[key]
        elif not parameter.requires_grad and name in (evidence.updated or ()):
            verdict, why = "moves", "frozen, but the forward writes to this parameter"
        elif not parameter.requires_grad:
            why = "" if parameter.grad is None else "stale .grad"
            verdict = "frozen"
        elif is_inference(parameter):
            verdict, why = "cut", "inference_mode, where it was made: it can't train"
        elif key in evidence.unreached:
            found = evidence.unreached[key]
            verdict, why, where = found.verdict, found.why, written(found.where, paths)
        elif key in evidence.zero:
            verdict, why = "zero", "its gradient is exactly zero"
        elif held and parameter not in held:
            verdict, why = "not in optimizer", "gets a gradient that nobody applies"
        elif held and held.has_zero_rate(parameter):
            verdict, why = "lr=0", "its learning rate is 0"
        yield Row(name, verdict, why, where, _numel(parameter))


def _buffers(
    model: nn.Module, named: dict[str, nn.Parameter], evidence: Evidence
) -> Iterator[Row]:
    """Yield the buffers of frozen modules that a forward updates."""
    if all(parameter.requires_grad for parameter in named.values()):
        return  # no module is frozen
    updated = evidence.updated
    if updated is None:
        updated = set(_drifting(model))
    frozen = {path for path in set(map(_owner, updated)) if is_frozen(model, path)}
    for name, buffer in model.named_buffers() if frozen else ():
        if name in updated and _owner(name) in frozen:
            why = "frozen, but the forward updates this buffer"
            yield Row(name, "moves", why, "", _numel(buffer), "buffer")


def _drifting(model: nn.Module) -> Iterator[str]:
    """Yield statistics that a forward updates, of layers without trained parameters."""
    for path, module in model.named_modules():
        if not module.training or not has_stats(module) or is_held(module):
            continue
        if any(parameter.requires_grad for parameter in module.parameters()):
            continue
        for name, _ in module.named_buffers(path, recurse=False):
            counts = name.endswith("num_batches_tracked")
            if isinstance(module, _INSTANCE_NORMS):  # its momentum None stands for 0
                moves = not counts and module.momentum
            else:
                moves = module.track_running_stats and (counts or module.momentum != 0)
            if moves:
                yield name


_INSTANCE_NORMS = (nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)


def _owner(name: str) -> str:
    return name.rpartition(".")[0]


def is_frozen(model: nn.Module, path: str) -> bool:
    """Whether the nearest module around a path that has parameters is frozen."""
    parameters = parameters_around(model, path)
    return bool(parameters) and not any(p.requires_grad for p in parameters)


def parameters_around(model: nn.Module, path: str) -> list[nn.Parameter]:
    """Return the parameters of the nearest module around a path that has some."""
    while True:
        parameters = list(model.get_submodule(path).parameters())
        if parameters or not path:
            return parameters
        path = _owner(path)


def _unregistered(model: nn.Module, evidence: Evidence) -> Iterator[Row]:
    """Yield the tensors that the loss reaches and the model doesn't register."""
    buffers = set(map(id, model.buffers())) if evidence.unregistered else ()
    for name, tensor in evidence.unregistered:
        kind = "buffer" if id(tensor) in buffers else "tensor"
        why = "reached by the loss, but not a parameter of the model"
        yield Row(name, "unregistered", why, "", tensor.numel(), kind)


def _optimizer_only(
    parameters: Iterable[nn.Parameter], evidence: Evidence, held: HeldTensors
) -> Iterator[Row]:
    """Yield the tensors that the optimizer holds and the model does not."""
    known = {id(t) for t in (*parameters, *(t for _, t in evidence.unregistered))}
    for name, tensor in held.named():
        if id(tensor) not in known:
            why = "held by the optimizer, not by the model"
            yield Row(name, "orphan", why, "", _numel(tensor), "optimizer")


def _numel(tensor: Tensor) -> int:
    return 0 if is_lazy(tensor) else tensor.numel()
