"""Faults of the module: after each of them, ``explain`` gives one wrong verdict."""

from __future__ import annotations

from tests.faults.checks import pytest
from tests.faults.fault import Fault, Replace, fault

EXPLAIN = "src/gradguide/_explain/explain.py"
EVIDENCE = "src/gradguide/_explain/evidence.py"
USES = "src/gradguide/_origins/uses.py"
OPTIMIZER = "src/gradguide/_explain/optimizer.py"


def verdict(right: str, name: str, test: str, words: str, edit: Replace) -> Fault:
    """Return a fault after which something else is said in the place of a verdict."""
    return fault(f"a wrong verdict for {right}", name, pytest(test), words, edit)


# A fault reads better as a few full lines than as one for each argument.
# fmt: off
FAULTS = (
    verdict("trains", "parameters that backward reaches are explained as if it did not",
        "tests/module/test_report.py::test_small", "2 unknown",
        Replace(EVIDENCE, "if id(parameter) not in graph.leaves:", "if True:")),
    verdict("frozen", "`requires_grad` of a parameter is not asked",
        "tests/module/test_explain.py::test_the_model_alone",
        "('head.weight', 'trains')",
        Replace(EXPLAIN, "elif not parameter.requires_grad:", "elif False:")),
    verdict("moves, by the optimizer",
        "a stale gradient of a frozen parameter is overlooked",
        "tests/module/test_optimizer.py::test_moves", "assert [] == ['backbone.",
        Replace(OPTIMIZER, "t in self and t.grad is not None", "False")),
    verdict("moves, by the forward",
        "writes of the forward to frozen parameters are overlooked",
        "tests/module/test_explain.py::test_frozen_parameter_that_the_forward_writes_to",
        "assert [] == ['weight']",
        Replace(EXPLAIN, "name in (evidence.updated or ())", "False")),
    verdict("moves, of a buffer",
        "a batch norm that averages over all batches counts as still",
        "tests/module/test_explain.py::test_statistics_that_drift",
        "'1.num_batches_tracked' != '1.running_mean'",
        Replace(EXPLAIN, "module.momentum != 0", "module.momentum")),
    verdict("cut", "what was cut counts as unused", EXPLAIN,
        "('body.weight', 'unused', 'detach()')",
        Replace(USES, 'else "cut"', 'else "unused"')),
    verdict("unused", "what is never read counts as unknown",
        "tests/module/test_report.py::test_small", "1 unknown",
        Replace(USES, '"unused", "never read', '"unknown", "never read')),
    verdict("unreached", "what a loss tensor doesn't reach counts as unused",
        "tests/module/test_explain.py::test_a_loss_tensor", "'unused' != 'unreached'",
        Replace(EVIDENCE, '    "unreached", "backward', '    "unused", "backward')),
    verdict("unregistered", "a parameter that the model doesn't register is overlooked",
        "tests/module/test_unregistered.py",
        "assert no problems == ((",
        Replace(EXPLAIN, "for name, tensor in evidence.unregistered:",
            "for name, tensor in []:")),
    verdict("not in optimizer",
        "parameters that the optimizer doesn't hold count as trained",
        "tests/module/test_optimizer.py::test_trains", "assert ['",
        Replace(EXPLAIN, '"not in optimizer", "gets', '"trains", "gets')),
    verdict("lr=0", "a learning rate of 0 is overlooked",
        "tests/module/test_optimizer.py::test_trains", "assert ['",
        Replace(EXPLAIN, "held and held.has_zero_rate(parameter)", "False")),
    verdict("trains, with a learning rate of 0",
        "ASGD applies the rate of the step before, which is overlooked",
        "tests/module/test_optimizer.py::test_a_rate_of_zero_that_moves",
        "assert {'lr=0'} == {'trains'}",
        Replace(OPTIMIZER, "== float(before) == 0", "== 0")),
    verdict("zero", "a gradient of zeros counts as a gradient",
        "tests/module/test_explain.py::test_zero_gradients", "assert {} == {",
        Replace(EVIDENCE, "if grad is None or is_zero(grad):", "if grad is None:")),
    verdict("orphan", "tensors that only the optimizer holds are overlooked",
        "tests/module/test_optimizer.py::test_orphans",
        "assert [] == [",
        Replace(EXPLAIN, "if id(tensor) not in known:", "if False:")),
    verdict("unknown", "what runs in other threads counts as unused",
        "tests/module/test_threads.py", "the function runs code in other threads",
        Replace(EVIDENCE, "doubtful = threads.seen and", "doubtful = False and")),
    verdict("cut, at this line", "the line to blame is forgotten",
        "tests/module/test_explain.py::test_where_names_the_module",
        "assert '' == 'test_explain.py:",
        Replace(USES, "cut.why, cut.where)", "cut.why, None)")),
)
# fmt: on
