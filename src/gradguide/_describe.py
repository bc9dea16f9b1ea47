"""Describes in one sentence how autograd treats a tensor."""

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from gradguide._autograd import grad_fn, is_dead_view, is_refused, shape_of
from gradguide._saved import saved


def describe(tensor: Tensor) -> str:
    """Describe how autograd treats a tensor, and why it has a ``.grad`` or not.

    It does not tell where a leaf comes from: those of ``detach()``, ``no_grad`` and
    ``torch.zeros`` are alike. ``explain`` finds that out by running the code.

    Args:
        tensor: Any tensor, of any shape.

    Returns:
        One sentence. It says whether the tensor is a leaf or the result of an
        operation, and whether it has a ``.grad``. For a result, it says how many nodes
        and bytes it keeps alive: after a backward, those that the backward did not go
        through.

    Raises:
        TypeError: If ``tensor`` is not a tensor.

    Examples:
        >>> import torch
        >>> x = torch.ones(2, 3)
        >>> print(describe(x))
        A leaf of shape (2, 3) that does not require grad: autograd records nothing \
about it, and its .grad stays None.
        >>> print(describe(x.requires_grad_()))
        A leaf of shape (2, 3) that requires grad: its .grad is None, as no backward() \
has added to it since it was made or its .grad was last set to None, as zero_grad() \
does.
        >>> print(describe(x.exp().sum()))
        A result of SumBackward0 of shape (): a backward passes through it, and its \
.grad stays None without retain_grad(); it keeps 3 graph nodes and 24 bytes alive.
        >>> describe(3.0)
        Traceback (most recent call last):
        ...
        TypeError: describe: expected a tensor, got float; pass a tensor, before item()
    """
    if not isinstance(tensor, Tensor):
        is_number = isinstance(tensor, (bool, int, float, complex))
        cure = "before item()" if is_number else "such as model.weight"
        kind = type(tensor).__name__
        msg = f"describe: expected a tensor, got {kind}; pass a tensor, {cure}"
        raise TypeError(msg)
    if is_lazy(tensor):
        return (
            "A lazy parameter: it has no shape, values or gradient until the first "
            "forward."
        )
    shape = f"of shape {shape_of(tensor)}"
    if tensor.is_inference():
        return (
            f"An inference tensor {shape}, made under torch.inference_mode(): autograd "
            "refuses to save it for a backward, and its views have no history; clone() "
            "it outside of that mode to train with it."
        )
    if is_refused(tensor):
        return (
            f"A refused view {shape}, made under torch.no_grad(), whose base was then "
            "changed in place: PyTorch raises where it is used; make the view outside "
            "of that mode."
        )
    if is_dead_view(tensor):
        return (
            f"A dead view {shape}, made under torch.no_grad(): it reports "
            "requires_grad=True, but its history is lost, and a backward from it "
            "gives no gradient to the tensor that it views."
        )
    if tensor.is_leaf:
        return f"A {_leaf(tensor, shape)}."
    return f"A {_result(tensor, shape)}."


def _leaf(tensor: Tensor, shape: str) -> str:
    kind = "parameter" if isinstance(tensor, nn.Parameter) else "leaf"
    if tensor.requires_grad:
        state = f"{kind} {shape} that requires grad"
        if tensor.grad is None:
            # PyTorch has no public name for the hooks of optimizers in the backward.
            by_hook = ", or as its own hook does that runs after each gradient"
            hooks = tensor._post_accumulate_grad_hooks  # noqa: SLF001
            return (
                f"{state}: its .grad is None, as no backward() has added to it since "
                "it was made or its .grad was last set to None, as zero_grad() does"
                f"{by_hook if hooks else ''}"
            )
        return f"{state}: its .grad is there, and the next backward adds to it"
    if tensor.grad is not None:
        return (
            f"frozen {kind} {shape}: its .grad was left from before, and an optimizer "
            "that holds it still applies it; set it to None"
        )
    if not (tensor.is_floating_point() or tensor.is_complex()):
        return (
            f"{kind} {shape} and dtype {tensor.dtype}: only floating point and complex "
            "tensors can require grad, so its .grad stays None"
        )
    return (
        f"{kind} {shape} that does not require grad: autograd records nothing about "
        "it, and its .grad stays None"
    )


def _result(tensor: Tensor, shape: str) -> str:
    node = grad_fn(tensor)
    state = f"result of {node.name() if node else 'an operation'} {shape}"
    graph = _graph(tensor)
    if not tensor.retains_grad:
        return (
            f"{state}: a backward passes through it, and its .grad stays None without "
            f"retain_grad(); {graph}"
        )
    if tensor.grad is None:
        return (
            f"{state} that retains its grad: its .grad is None until a backward() "
            f"adds to it; {graph}"
        )
    return f"{state} that retains its grad: its .grad is there; {graph}"


def _graph(tensor: Tensor) -> str:
    usage = saved(tensor)
    kept = f"keeps {usage.nodes} graph nodes and {usage.bytes} bytes alive"
    if not usage.freed:
        return f"it {kept}"
    if not usage.bytes:
        return "a backward has freed its graph, and a second one through it raises"
    return (
        "a backward has freed a part of its graph, and a second one through that part "
        f"raises; it still {kept}, most of them for {next(iter(usage.by_op))}"
    )
