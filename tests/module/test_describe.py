"""Tests the sentence that ``describe`` returns for each kind of tensor."""

import warnings
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from gradguide import describe


def weight() -> nn.Parameter:
    return nn.Linear(2, 1, bias=False).weight


def weight_with_gradient(*, frozen: bool = False) -> nn.Parameter:
    parameter = weight()
    parameter.sum().backward()
    return parameter.requires_grad_(not frozen)


def exp_of_ones() -> Tensor:
    return torch.ones(3, requires_grad=True).exp()


def retained(*, backward: bool) -> Tensor:
    y = exp_of_ones()
    y.retain_grad()
    if backward:
        y.sum().backward()
    return y


def weight_with_hook() -> nn.Parameter:
    parameter = weight()
    parameter.register_post_accumulate_grad_hook(lambda p: setattr(p, "grad", None))
    parameter.sum().backward()
    return parameter


def freed() -> Tensor:
    loss = exp_of_ones().sum()
    loss.backward()
    return loss


def freed_in_part() -> Tensor:
    """Return a result of which a part was computed by another loss, too."""
    shared = torch.ones(3, requires_grad=True).exp()
    scale = torch.ones(3, dtype=torch.float64).requires_grad_()
    kept = shared * scale.sin()
    shared.sum().backward()
    return kept


def made_in_inference_mode() -> Tensor:
    with torch.inference_mode():
        return torch.ones(2)


def view_of_a_changed_base() -> Tensor:
    base = torch.ones(4, requires_grad=True) * 1
    with torch.no_grad():
        view = base[:2]
    base.mul_(2)
    return view


SENTENCES: dict[str, tuple[Callable[[], Tensor], str]] = {
    "plain": (
        lambda: torch.ones(2, 3).detach(),
        """A leaf of shape (2, 3) that does not require grad: autograd records nothing
        about it, and its .grad stays None.""",
    ),
    "integers": (
        lambda: torch.arange(3),
        """A leaf of shape (3,) and dtype torch.int64: only floating point and complex
        tensors can require grad, so its .grad stays None.""",
    ),
    "parameter": (
        weight,
        """A parameter of shape (1, 2) that requires grad: its .grad is None, as no
        backward() has added to it since it was made or its .grad was last set to None,
        as zero_grad() does.""",
    ),
    "parameter with a gradient": (
        weight_with_gradient,
        """A parameter of shape (1, 2) that requires grad: its .grad is there, and the
        next backward adds to it.""",
    ),
    "parameter that loses its gradient": (
        weight_with_hook,
        """A parameter of shape (1, 2) that requires grad: its .grad is None, as no
        backward() has added to it since it was made or its .grad was last set to None,
        as zero_grad() does, or as its own hook does that runs after each gradient.""",
    ),
    "frozen parameter with a gradient": (
        lambda: weight_with_gradient(frozen=True),
        """A frozen parameter of shape (1, 2): its .grad was left from before, and an
        optimizer that holds it still applies it; set it to None.""",
    ),
    "result": (
        lambda: exp_of_ones().sum(),
        """A result of SumBackward0 of shape (): a backward passes through it, and its
        .grad stays None without retain_grad(); it keeps 3 graph nodes and 12
        bytes alive.""",
    ),
    "retained": (
        lambda: retained(backward=False),
        """A result of ExpBackward0 of shape (3,) that retains its grad: its .grad is
        None until a backward() adds to it; it keeps 2 graph nodes and 12 bytes
        alive.""",
    ),
    "freed": (
        freed,
        """A result of SumBackward0 of shape (): a backward passes through it, and its
        .grad stays None without retain_grad(); a backward has freed its graph, and
        a second one through it raises.""",
    ),
    "freed in part": (
        freed_in_part,
        """A result of MulBackward0 of shape (3,): a backward passes through it, and its
        .grad stays None without retain_grad(); a backward has freed a part of its
        graph, and a second one through that part raises; it still keeps 5 graph
        nodes and 36 bytes alive, most of them for MulBackward0.""",
    ),
    "retained with a gradient": (
        lambda: retained(backward=True),
        """A result of ExpBackward0 of shape (3,) that retains its grad: its .grad is
        there; a backward has freed its graph, and a second one through it raises.""",
    ),
    "inference": (
        made_in_inference_mode,
        """An inference tensor of shape (2,), made under torch.inference_mode():
        autograd refuses to save it for a backward, and its views have no history;
        clone() it outside of that mode to train with it.""",
    ),
    "leaf made from a view": (
        lambda: torch.ones(4)[:2].requires_grad_(),
        """A leaf of shape (2,) that requires grad: its .grad is None, as no backward()
        has added to it since it was made or its .grad was last set to None, as
        zero_grad() does.""",
    ),
    "view that PyTorch refuses to use": (
        view_of_a_changed_base,
        """A refused view of shape (2,), made under torch.no_grad(), whose base was
        then changed in place: PyTorch raises where it is used; make the view
        outside of that mode.""",
    ),
    "lazy": (
        lambda: nn.LazyLinear(2).weight,
        """A lazy parameter: it has no shape, values or gradient until the first
        forward.""",
    ),
    "nested, which has no one shape": (
        lambda: torch.nested.nested_tensor(
            [torch.ones(2), torch.ones(3)], requires_grad=True
        ),
        """A leaf of shape (2, nested) that requires grad: its .grad is None, as no
        backward() has added to it since it was made or its .grad was last set to None,
        as zero_grad() does.""",
    ),
}


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("kind", SENTENCES)
def test_sentence(kind: str) -> None:
    """Each kind of tensor has a sentence of its own."""
    make, sentence = SENTENCES[kind]
    assert describe(make()) == " ".join(sentence.split())


@pytest.mark.parametrize("result", [False, True])
def test_dead_view(result: bool) -> None:
    """A view made under no_grad reports requires_grad=True, but has no history."""
    leaf = torch.ones(4, requires_grad=True)
    base = leaf * 1 if result else leaf
    with torch.no_grad():
        view = base[:2]
    assert view.requires_grad
    assert describe(view) == (
        "A dead view of shape (2,), made under torch.no_grad(): it reports "
        "requires_grad=True, but its history is lost, and a backward from it gives no "
        "gradient to the tensor that it views."
    )
    view.sum().backward()
    assert leaf.grad is None


def test_silent() -> None:
    """It reads the ``.grad`` of a result without the warning of PyTorch."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        describe(torch.ones(1, requires_grad=True) * 2)


@pytest.mark.parametrize("take", ["set to None", "zero_grad", "optimizer", "inputs"])
def test_gradient_was_there(take: str) -> None:
    """A leaf without .grad is not said to have been reached by no backward at all."""
    parameter, other = weight(), weight()
    optimizer = torch.optim.SGD([parameter], lr=1)
    loss = (parameter * other).sum()
    loss.backward(inputs=[other] if take == "inputs" else None)
    if take == "optimizer":
        optimizer.step()
        optimizer.zero_grad()
    elif take == "set to None":
        parameter.grad = None
    elif take == "zero_grad":
        nn.ParameterList([parameter]).zero_grad()
    assert "as no backward() has added to it since it was made or" in describe(
        parameter
    )


def test_metric_that_is_kept() -> None:
    """A metric with a graph of its own keeps what the backward of the loss left."""
    model, x = nn.Linear(8, 8), torch.randn(16, 8)
    out = model(x)
    rmse = nn.functional.mse_loss(out, x).sqrt()
    (out - x).square().mean().backward()
    assert describe(rmse).endswith(
        "it still keeps 6 graph nodes and 1028 bytes alive, most of them for "
        "MseLossBackward0."
    )


def test_wrong_type() -> None:
    """What is no tensor is refused, and an iterator is not consumed."""
    with pytest.raises(TypeError, match=r"expected a tensor, got float; .* item\(\)"):
        describe(1.0)  # type: ignore[arg-type]
    parameters = nn.Linear(2, 2).parameters()
    with pytest.raises(TypeError, match=r"got generator; .* such as model\.weight"):
        describe(parameters)  # type: ignore[arg-type]
    assert len(list(parameters)) == 2
