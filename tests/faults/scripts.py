"""Faults of a script: what it claims, prints, and leaves behind."""

from __future__ import annotations

from tests.faults.checks import BUILD, SOURCES, pytest, site
from tests.faults.checks import PAGE as ONE_PAGE
from tests.faults.fault import Append, Edit, Fault, Replace, fault

DETACH = "examples/three-ways/detach_cuts_one_tensor.py"
CLAIM = "assert z.grad is None\n"
COUNTED = pytest(f"{SOURCES}::test_no_claim_of_a_script_was_lost")
CAN_FAIL = pytest(
    f"{SOURCES}::test_every_assertion_can_fail[three-ways/detach_cuts_one_tensor.py]"
)

PAGE = "docs/_build/html/en/gallery/graph/zero_is_not_none.html"
DOWNLOAD = "docs/_build/html/en/gallery/graph/zero_is_not_none.py"
ALONE = site(
    "test_downloads.py::test_a_script_prints_what_its_page_shows", "zero_is_not_none"
)
PRINTED = '<span class="go">tensor([0.]) -0.067</span>'
OUTPUT = site(ONE_PAGE, "en/gallery/graph/zero_is_not_none.html")

ONE = "examples/chapter/one.py"
NEW_CELL = "\n# %%\nimport torch\n\n"


def emptied(name: str, claim: str) -> Fault:
    """Return a fault that puts a claim that can't fail in the place of a real one."""
    edit = Replace(DETACH, CLAIM, f"assert {claim}\n")
    return fault(
        "an assertion made trivially true", name, CAN_FAIL, "always true", edit
    )


def alone(kind: str, name: str, words: str, *edits: Edit) -> Fault:
    """Return a fault that shows when a finished script runs alone."""
    return fault(kind, name, ALONE, words, *edits)


def leak(what: str, code: str, words: str) -> Fault:
    """Return a fault that leaves a setting of the process changed behind a script."""
    return fault(
        f"a script that leaks {what}",
        f"the tiny script ends with `{code}`",
        BUILD,
        f"one.py leaves {words}",
        Append(ONE, f"{NEW_CELL}{code}\n"),
    )


def running(kind: str, name: str, words: str, *edits: Edit) -> Fault:
    """Return a fault that shows when the tiny guide is built."""
    return fault(kind, name, BUILD, words, *edits)


# A fault reads better as a few full lines than as one for each argument.
# fmt: off
FAULTS = (
    fault("an assertion removed", "one assertion of detach_cuts_one_tensor.py",
        COUNTED, '"three-ways/detach_cuts_one_tensor.py" = ',
        Replace(DETACH, CLAIM, "")),
    fault("an assertion removed", "an error that has to come isn't insisted on",
        COUNTED, '"three-ways/detach_cuts_one_tensor.py" = ',
        Replace(DETACH,
            "    else:\n"
            "        raise AssertionError("
            '"requires_grad of a result was changed")\n', "")),
    running("an assertion inverted", "`assert result.is_leaf` where it is none",
        "AssertionError", Append(ONE, f"{NEW_CELL}assert result.is_leaf\n")),
    emptied("`assert z.grad == z.grad`", "z.grad == z.grad"),
    emptied("`or True` behind the claim", "z.grad is None or True"),
    emptied("a tuple of the claim and a message", '(z.grad is None, "no gradient")'),
    emptied("a sentence in place of the claim", '"z has no gradient"'),
    alone("an output changed by hand", "a number in an output of zero_is_not_none.html",
        "tensor([0.])", Replace(PAGE, PRINTED, PRINTED.replace("0.", "1."))),
    alone("a script that depends on what ran before",
        "zero_is_not_none.py reads what another script has left in `torch`",
        "AttributeError",
        Replace(DOWNLOAD, "print(x.grad)", "print(x.grad * torch.left_by_another)")),
    alone("a script that leaks a seed",
        "zero_is_not_none.py prints a random number and sets no seed",
        "tensor([0.4963])", Replace(DOWNLOAD, "print(x.grad)", "print(torch.rand(1))"),
        Replace(PAGE, '<span class="go">None</span>',
            '<span class="go">tensor([0.4963])</span>')),
    fault("a script that prints nothing",
        "zero_is_not_none.html has neither an output nor a figure", OUTPUT,
        "neither output nor figure",
        Replace(PAGE, "sphx-glr-script-out", "sphx-glr-nothing"),
        Replace(PAGE, "sphx-glr-single-img", "sphx-glr-nothing")),
    running("a script that raises", "the tiny script divides by zero",
        "ZeroDivisionError", Append(ONE, f"{NEW_CELL}1 / 0\n")),
    running("a script that hangs", "the tiny script waits for an hour", "TimeoutError",
        Append(ONE, f"{NEW_CELL}import time\n\ntime.sleep(3600)\n")),
    leak("grad mode", "_ = torch.set_grad_enabled(False)", "... grad"),
    leak("the default dtype", "torch.set_default_dtype(torch.float64)",
        "the default dtype torch.float64 behind"),
    leak("threads", "torch.set_num_threads(3)", "... threads"),
    leak("deterministic mode", "torch.use_deterministic_algorithms(True)",
        "... deterministic"),
    running("a script that leaks a figure",
        "a figure is left open in a cell without text",
        "say above it what the figure shows",
        Append(ONE, "\n# %%\nimport matplotlib.pyplot as plt\n\n_ = plt.figure()\n")),
    running("a script that writes outside its folder",
        "the tiny script writes beside the folders of the languages",
        "writes outside its folder",
        Append(ONE,
            f"{NEW_CELL}from pathlib import Path\n\n"
            'docs = next(path for path in Path.cwd().parents if path.name == "docs")\n'
            '_ = Path(docs, "_build", "left_by_one.txt").write_text("")\n')),
    running("an error text missing from the index",
        "the tiny script prints an error that has no page",
        "printed a message that is not explained",
        Append(ONE, f'{NEW_CELL}print("ValueError: no such thing")\n')),
)
# fmt: on
