"""Faults of the module: after each of them, ``explain`` gives one wrong verdict."""

from __future__ import annotations

from tests.faults.checks import pytest
from tests.faults.fault import Fault, Replace, fault

EXPLAIN = "src/gradguide/_explain.py"
EVIDENCE = "src/gradguide/_evidence.py"
CAUSES = "src/gradguide/_causes.py"
OPTIMIZER = "src/gradguide/_optimizer.py"


def verdict(right: str, name: str, test: str, words: str, edit: Replace) -> Fault:
    """Return a fault after which something else is said in the place of a verdict."""
    kind = f"a wrong verdict: not {right}"
    return fault(kind, name, pytest(f"tests/module/{test}"), words, edit)


FAULTS = (
    verdict(
        "trains",
        "parameters that backward reaches are explained as if it did not",
        "test_report.py::test_small",
        "5 unknown",
        Replace(EVIDENCE, "if id(parameter) not in graph.leaves:", "if True:"),
    ),
    verdict(
        "frozen",
        "`requires_grad` of a parameter is not asked",
        "test_explain.py::test_the_model_alone",
        "('head.weight', 'trains')",
        Replace(EXPLAIN, "elif not parameter.requires_grad:", "elif False:"),
    ),
    verdict(
        "moves, by the optimizer",
        "a stale gradient of a frozen parameter is overlooked",
        "test_optimizer.py::test_moves",
        "moves",
        Replace(OPTIMIZER, "t in self and t.grad is not None", "False"),
    ),
    verdict(
        "moves, by the forward",
        "writes of the forward to frozen parameters are overlooked",
        "test_explain.py::test_frozen_parameter_that_the_forward_writes_to",
        "['weight']",
        Replace(EXPLAIN, "name in (evidence.moved or ())", "False"),
    ),
    verdict(
        "moves, of a buffer",
        "a batch norm that averages over all batches counts as still",
        "test_explain.py::test_statistics_that_drift",
        "running_mean",
        Replace(EXPLAIN, "module.momentum != 0", "module.momentum"),
    ),
    verdict(
        "cut",
        "what was cut counts as unused",
        "test_explain.py::test_where_names_the_module",
        "cut",
        Replace(CAUSES, 'else "cut"', 'else "unused"'),
    ),
    verdict(
        "unused",
        "what is never read counts as unknown",
        "test_report.py::test_small",
        "1 unknown",
        Replace(CAUSES, "if not is_read:", "if False:"),
    ),
    verdict(
        "unreached",
        "what a loss tensor doesn't reach counts as unused",
        "test_explain.py::test_a_loss_tensor",
        "unused",
        Replace(EVIDENCE, '    "unreached", "backward', '    "unused", "backward'),
    ),
    verdict(
        "unregistered",
        "a parameter that the model doesn't register is overlooked",
        "test_unregistered.py",
        "unregistered",
        Replace(
            EXPLAIN,
            "for name, tensor in evidence.strangers:",
            "for name, tensor in []:",
        ),
    ),
    verdict(
        "not in optimizer",
        "parameters that the optimizer doesn't hold are overlooked",
        "test_optimizer.py::test_replaced_layer",
        "not in optimizer",
        Replace(EXPLAIN, "elif held and parameter not in held:", "elif False:"),
    ),
    verdict(
        "lr=0",
        "a learning rate of 0 is overlooked",
        "test_optimizer.py::test_learning_rate_of_zero",
        "lr=0",
        Replace(EXPLAIN, "elif held and held.is_still(parameter):", "elif False:"),
    ),
    verdict(
        "trains, with a learning rate of 0",
        "ASGD applies the rate of the step before, which is overlooked",
        "test_optimizer.py::test_a_rate_of_zero_that_moves",
        "lr=0",
        Replace(OPTIMIZER, "== float(before) == 0", "== 0"),
    ),
    verdict(
        "zero",
        "a gradient of zeros counts as a gradient",
        "test_explain.py::test_zero_gradients",
        "zero",
        Replace(EVIDENCE, "if grad is None or is_zero(grad):", "if grad is None:"),
    ),
    verdict(
        "orphan",
        "tensors that only the optimizer holds are overlooked",
        "test_optimizer.py::test_replaced_layer",
        "orphan",
        Replace(EXPLAIN, "if id(tensor) not in known:", "if False:"),
    ),
    verdict(
        "unknown",
        "what runs in other threads counts as unused",
        "test_threads.py",
        "unused",
        Replace(EVIDENCE, "doubtful = threads.seen and", "doubtful = False and"),
    ),
    verdict(
        "cut, at this line",
        "the line to blame is forgotten",
        "test_explain.py::test_where_names_the_module",
        "test_explain.py:",
        Replace(CAUSES, "cut.why, cut.where)", 'cut.why, "")'),
    ),
)
