"""Tests that the command prints tracebacks as Python does."""

from pathlib import Path

import pytest

from .command import plain, watch, written

ERRORS = {
    "at the top": "import torch\n1 / 0",
    "in a function": """
        import torch
        def outer(x):
            return inner(x)
        def inner(x):
            return torch.ones(3) @ x
        outer(torch.ones(2))
        """,
    "in a forward": """
        import torch
        from torch import nn
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.layers = nn.Sequential(nn.Linear(3, 2), nn.Softmax(dim=1))
            def forward(self, x):
                return self.layers(x)
        Net()(torch.ones(2, 4))
        """,
    "in a forward with a hook of its own": """
        import torch
        layer = torch.nn.Linear(3, 2)
        layer.register_forward_hook(lambda *_: None)
        layer(torch.ones(4))
        """,
    "in a loss inside of a closure": """
        import torch
        model = torch.nn.Linear(3, 2)
        def closure():
            rows = model(torch.ones(2, 3))
            return torch.nn.functional.cross_entropy(rows, torch.tensor([0, 5]))
        torch.optim.SGD(model.parameters(), lr=0.1).step(closure)
        """,
    "in a backward": """
        import torch
        model = torch.nn.Linear(3, 2)
        model(torch.ones(2, 3)).detach().sum().backward()
        """,
    "chained": """
        import torch
        class Fails(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x * 2
            @staticmethod
            def backward(ctx, grad):
                raise KeyError("oops")
        weight = torch.nn.Parameter(torch.ones(3))
        try:
            Fails.apply(weight).sum().backward()
        except KeyError as error:
            raise ValueError("chained") from error
        """,
    "in a group": """
        import torch
        errors = []
        for shape in (4, 5):
            try:
                torch.nn.Linear(3, 2)(torch.ones(shape))
            except RuntimeError as error:
                errors.append(error)
        raise ExceptionGroup("two", errors)
        """,
    "with a hook of its own": """
        import sys, torch
        sys.excepthook = lambda kind, error, trace: print("mine", kind, error)
        raise RuntimeError("oops")
        """,
    "of syntax": "import torch\nx = = 3",
    "of syntax in an import": "import torch\nimport wrong",
}


@pytest.mark.parametrize("code", ERRORS.values(), ids=ERRORS)
def test_a_traceback_is_what_it_always_is(code: str, tmp_path: Path) -> None:
    """It is the same as without the command, and the report stands below it."""
    script = written(tmp_path, code)
    written(tmp_path, "def f(:", "wrong.py")
    alone, watched = plain(script), watch(script)
    assert alone.code == watched.code == 1
    assert watched.output == alone.output
    assert watched.errors.startswith(alone.errors), watched.errors + alone.errors
    report = watched.errors.removeprefix(alone.errors)
    assert report.startswith("\ngradguide: ") or "= =" in code


def test_a_failed_hook_for_errors_is_told_as_by_python(tmp_path: Path) -> None:
    """Both tracebacks are printed, and then the report."""
    code = "import sys\nsys.excepthook = lambda *_: 1 / 0\nraise KeyError(3)"
    errors = watch(written(tmp_path, code)).errors
    first, second = errors.split("\nOriginal exception was:\n")
    assert first.startswith("Error in sys.excepthook:\nTraceback")
    assert "ZeroDivisionError" in first
    assert "KeyError: 3\n\ngradguide: " in second
